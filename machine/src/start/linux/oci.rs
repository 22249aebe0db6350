//! Container images in OCI layouts: directories with `oci-layout`, `index.json` and `blobs`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::decompress::decompressed;
use super::tree::{Kind, Tree};
use crate::host::sha256;

/// The architecture of guests, as in images.
const ARCHITECTURE: &str = "amd64";

/// An index may refer to others.
const MAX_DEPTH: u32 = 4;

/// The image for this architecture in a layout.
#[derive(Debug)]
pub(super) struct OciImage {
    layout: PathBuf,
    /// The digest of its manifest, which has those of all its parts.
    pub(super) digest: String,
    manifest: Value,
}

impl OciImage {
    pub(super) fn open(layout: &Path) -> io::Result<Self> {
        if !layout.join("oci-layout").is_file() {
            return Err(wrong("it is no OCI layout: it has no file `oci-layout`"));
        }
        let index = parse(&fs::read(layout.join("index.json"))?)?;
        let mut found = Found::default();
        found.search(layout, &index, MAX_DEPTH)?;
        let mut images = found.images.into_iter();
        match (images.next(), images.next()) {
            (Some((digest, manifest)), None) => Ok(Self {
                layout: layout.to_owned(),
                digest,
                manifest,
            }),
            (Some(_), Some(_)) => Err(wrong(format!(
                "it has several images for {ARCHITECTURE}: copy one of them to a layout of its \
                 own"
            ))),
            (None, _) if found.others.is_empty() => Err(wrong("it has no image")),
            (None, _) => Err(wrong(format!(
                "it has no image for {ARCHITECTURE}, only for {}",
                found.others.join(", ")
            ))),
        }
    }

    /// Unpacks all layers.
    pub(super) fn unpack(&self, tree: &mut Tree) -> io::Result<()> {
        for layer in list(&self.manifest, "layers") {
            let blob = blob(&self.layout, layer)?;
            let kind = text(layer, "mediaType");
            if kind.contains("encrypted") || kind.contains("foreign") {
                return Err(wrong(format!("its layer has the kind {kind}")));
            }
            tree.unpack(decompressed(File::open(blob)?)?, Kind::Layer)?;
        }
        Ok(())
    }
}

/// The images in an index.
#[derive(Default)]
struct Found {
    /// Digests and manifests.
    images: Vec<(String, Value)>,
    /// The other architectures.
    others: Vec<String>,
}

impl Found {
    fn search(&mut self, layout: &Path, index: &Value, depth: u32) -> io::Result<()> {
        for descriptor in list(index, "manifests") {
            let platform = text(&descriptor["platform"], "architecture");
            if !["", ARCHITECTURE].contains(&platform) {
                self.others.push(platform.to_owned());
                continue;
            }
            let document = parse(&fs::read(blob(layout, descriptor)?)?)?;
            if document["manifests"].is_array() && depth > 0 {
                self.search(layout, &document, depth - 1)?;
                continue;
            }
            let config = parse(&fs::read(blob(layout, &document["config"])?)?)?;
            match text(&config, "architecture") {
                ARCHITECTURE => {
                    let digest = text(descriptor, "digest").to_owned();
                    self.images.push((digest, document));
                }
                other => self.others.push(other.to_owned()),
            }
        }
        Ok(())
    }
}

/// The file with the contents that a descriptor refers to, which have its digest.
fn blob(layout: &Path, descriptor: &Value) -> io::Result<PathBuf> {
    let digest = text(descriptor, "digest");
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let hex = digest.strip_prefix("sha256:");
    let hex = hex.filter(|hex| hex.len() == 64 && hex.bytes().all(is_digit));
    let hex = hex.ok_or_else(|| wrong(format!("{digest:?} is no digest by SHA-256")))?;
    let path = layout.join("blobs/sha256").join(hex);
    let at =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let sum = sha256::of_file(&path).map_err(at)?;
    if sum != hex {
        return Err(wrong(format!("{} has the digest {sum}", path.display())));
    }
    Ok(path)
}

fn parse(json: &[u8]) -> io::Result<Value> {
    Ok(serde_json::from_slice(json)?)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn wrong(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sha2::{Digest as _, Sha256};

    use super::*;

    struct Layout(tempfile::TempDir);

    impl Layout {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
            fs::write(dir.path().join("oci-layout"), "{}").unwrap();
            Self(dir)
        }

        /// Adds a blob and returns its descriptor.
        fn add(&self, contents: &[u8]) -> Value {
            let sum = sha256::hex(&Sha256::digest(contents));
            fs::write(self.0.path().join("blobs/sha256").join(&sum), contents).unwrap();
            json!({ "digest": format!("sha256:{sum}"), "size": contents.len() })
        }

        fn image(&self, architecture: &str) -> Value {
            let config = json!({ "architecture": architecture }).to_string();
            let mut tar = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            tar.append_data(&mut header, "bin/sh", &b"text"[..])
                .unwrap();
            let layer = self.add(&tar.into_inner().unwrap());
            let manifest = json!({ "config": self.add(config.as_bytes()), "layers": [layer] });
            self.add(manifest.to_string().as_bytes())
        }

        fn open(&self, manifests: &[Value]) -> io::Result<OciImage> {
            let index = json!({ "manifests": manifests }).to_string();
            fs::write(self.0.path().join("index.json"), index).unwrap();
            OciImage::open(self.0.path())
        }

        fn reason(&self, manifests: &[Value]) -> String {
            self.open(manifests).unwrap_err().to_string()
        }
    }

    #[test]
    fn the_image_for_this_architecture_is_unpacked() {
        let layout = Layout::new();
        let [arm, ours] = ["arm64", "amd64"].map(|it| layout.image(it));
        let index = layout.add(json!({ "manifests": [ours] }).to_string().as_bytes());
        let image = layout.open(&[arm, index]).unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path()).unwrap();
        image.unpack(&mut tree).unwrap();
        let shell = root.path().join("bin/sh");
        assert_eq!(fs::read_to_string(shell).unwrap(), "text");
    }

    #[test]
    fn other_layouts_are_refused() {
        let layout = Layout::new();
        let arm = layout.image("arm64");
        assert!(
            layout
                .reason(std::slice::from_ref(&arm))
                .contains("only for arm64")
        );
        let ours = layout.image("amd64");
        assert!(layout.reason(&[ours.clone(), ours]).contains("several"));
        assert!(layout.reason(&[]).contains("no image"));
        let digest = "sha256:../../../etc/passwd";
        let reason = layout.reason(&[json!({ "digest": digest })]);
        assert!(reason.contains("no digest"), "{reason}");
        let path = arm["digest"].as_str().unwrap().replace(':', "/");
        fs::write(layout.0.path().join("blobs").join(path), "{}").unwrap();
        assert!(layout.reason(&[arm]).contains("has the digest"));
        fs::remove_file(layout.0.path().join("oci-layout")).unwrap();
        assert!(layout.reason(&[]).contains("no OCI layout"));
    }
}
