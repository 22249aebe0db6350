//! A disk image that machines start from without changing it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::error::ErrorKind;
use crate::host::blocking::blocking;
use crate::sync::Mutex;

/// Where the boot sector of a disk ends, and its last bytes.
const BOOT_SECTOR_END: [u8; 2] = [0x55, 0xaa];
const SECTOR: usize = 512;

/// How formats begin that QEMU can't start from, and what to do about it.
const OTHER_FORMATS: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "it is compressed by gzip: unpack it first"),
    (b"\xfd7zXZ", "it is compressed by xz: unpack it first"),
    (
        b"\x28\xb5\x2f\xfd",
        "it is compressed by zstd: unpack it first",
    ),
    (
        b"KDMV",
        "it is a VMDK image: convert it by `qemu-img convert -O qcow2`",
    ),
    (
        b"vhdxfile",
        "it is a VHDX image: convert it by `qemu-img convert -O qcow2`",
    ),
    (
        b"conectix",
        "it is a VHD image: convert it by `qemu-img convert -O qcow2`",
    ),
];

/// An image in the format qcow2 or raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseImage {
    pub(super) path: PathBuf,
    pub(super) size_gib: Option<u32>,
    pub(super) sha256: Option<String>,
}

impl BaseImage {
    /// The image at `path`, which is not read yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path: std::path::absolute(&path).unwrap_or(path),
            size_gib: None,
            sha256: None,
        }
    }

    /// Creates `disk`, a qcow2 overlay on the image, unless it exists.
    ///
    /// # Errors
    /// [`Image`](ErrorKind::Image), [`BadArgument`](ErrorKind::BadArgument).
    pub(super) async fn create_overlay(&self, disk: &Path) -> Result<(), ErrorKind> {
        if disk.exists() {
            return self.check_overlay(disk);
        }
        let format = self.check().await?;
        let new = disk.with_extension("new");
        let mut create = qemu_img();
        create.args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]);
        create.arg(&self.path).arg(&new);
        if let Some(gib) = self.size_gib {
            create.arg(format!("{gib}G"));
        }
        self.output(create).await?;
        fs::rename(&new, disk).map_err(|error| self.error(format!("no disk on it: {error}")))
    }

    /// An overlay of an earlier start: it has only the differences from the image.
    fn check_overlay(&self, disk: &Path) -> Result<(), ErrorKind> {
        let modified = |path: &Path| path.metadata()?.modified();
        match (modified(&self.path), modified(disk)) {
            (Ok(image), Ok(disk)) if image <= disk => Ok(()),
            (Err(error), _) => Err(self.error(error.to_string())),
            _ => Err(self.error(format!(
                "it has changed since {} was created on it: remove that disk",
                disk.display()
            ))),
        }
    }

    /// Its format, if a machine can start from it.
    async fn check(&self) -> Result<&'static str, ErrorKind> {
        let image = self.clone();
        let format = blocking(move || {
            let format = format(&image.path).map_err(|error| image.error(error.to_string()))?;
            image.check_sum()?;
            Ok::<_, ErrorKind>(format)
        })
        .await?;
        let mut info = qemu_img();
        info.args(["info", "--output=json", "-f", format])
            .arg(&self.path);
        let info = self.output(info).await?;
        let info: Value = serde_json::from_slice(&info).unwrap_or_default();
        let size = info["virtual-size"].as_u64().unwrap_or(0);
        match self.size_gib {
            Some(gib) if u64::from(gib) << 30 < size => Err(ErrorKind::BadArgument {
                doing: format!("enlarging {}", self.path.display()),
                reason: format!("{gib} GiB are less than its size of {size} bytes"),
            }),
            _ => Ok(format),
        }
    }

    /// Compares its SHA-256 sum with the expected one, if there is one.
    fn check_sum(&self) -> Result<(), ErrorKind> {
        let Some(expected) = &self.sha256 else {
            return Ok(());
        };
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        if expected.len() != 64 || !expected.bytes().all(is_digit) {
            return Err(ErrorKind::BadArgument {
                doing: format!("checking {}", self.path.display()),
                reason: format!("{expected:?} is no SHA-256 sum: those have 64 hexadecimal digits"),
            });
        }
        let sum = cached_sum(&self.path).map_err(|error| self.error(error.to_string()))?;
        if sum.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(self.error(format!("its SHA-256 sum is {sum}, not {expected}")))
    }

    /// The output of a `qemu-img` that must succeed.
    async fn output(&self, mut command: Command) -> Result<Vec<u8>, ErrorKind> {
        let output = command.output().await;
        let output = output.map_err(|error| self.error(format!("can't run qemu-img: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
        Err(self.error(lines.join("; ")))
    }

    fn error(&self, reason: String) -> ErrorKind {
        ErrorKind::Image {
            path: self.path.clone(),
            reason,
        }
    }
}

fn qemu_img() -> Command {
    let mut command = Command::new("qemu-img");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The format of an image, as QEMU calls it. Never guessed by QEMU: a guest could write the
/// beginning of another format to a raw disk.
fn format(path: &Path) -> io::Result<&'static str> {
    let wrong = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason);
    // Opening a FIFO would wait for a writer.
    if !path.metadata()?.is_file() {
        return Err(wrong("it is not a file"));
    }
    let mut start = Vec::new();
    File::open(path)?
        .take(SECTOR as u64)
        .read_to_end(&mut start)?;
    if start.starts_with(b"QFI\xfb") {
        return Ok("qcow2");
    }
    let other = OTHER_FORMATS
        .iter()
        .find(|(begin, _)| start.starts_with(begin));
    if let Some((_, advice)) = other {
        return Err(wrong(advice));
    }
    if start.len() == SECTOR && start.ends_with(&BOOT_SECTOR_END) {
        return Ok("raw");
    }
    Err(wrong(
        "it is no disk image: neither qcow2, nor a raw disk with a boot sector",
    ))
}

/// A file's SHA-256 sum, computed once for each version of the file.
fn cached_sum(path: &Path) -> io::Result<String> {
    type Version = (PathBuf, u64, SystemTime, String);
    static KNOWN: Mutex<Option<HashSet<Version>>> = Mutex::new(None);
    let metadata = path.metadata()?;
    let (size, modified) = (metadata.len(), metadata.modified()?);
    let is_this = |known: &&Version| (&*known.0, known.1, known.2) == (path, size, modified);
    let known = KNOWN
        .lock()
        .get_or_insert_default()
        .iter()
        .find(is_this)
        .cloned();
    if let Some((.., sum)) = known {
        return Ok(sum);
    }
    let sum = sum(File::open(path)?)?;
    let version = (path.to_owned(), size, modified, sum.clone());
    KNOWN.lock().get_or_insert_default().insert(version);
    Ok(sum)
}

fn sum(mut file: File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect());
        }
        hash.update(&piece[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(contents: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), contents).unwrap();
        format(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn only_disks_are_images() {
        assert!(reason(b"").contains("no disk image"));
        assert!(reason(&[0; 4096]).contains("no disk image"));
        assert!(reason(b"\x1f\x8b\x08").contains("gzip"));
        assert!(reason(b"KDMV").contains("VMDK"));
        let missing = format(Path::new("/no/image")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(format(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_sum_is_compared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        let mut image = BaseImage::new(file.path().to_owned());
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (expected, is_right) in [
            (sum, true),
            (&sum.to_uppercase(), true),
            (&sum.replace('b', "c"), false),
        ] {
            image.sha256 = Some(expected.to_owned());
            assert_eq!(image.check_sum().is_ok(), is_right, "{expected}");
        }
        image.sha256 = Some("abc".to_owned());
        assert!(matches!(
            image.check_sum(),
            Err(ErrorKind::BadArgument { .. })
        ));
        // Another version of the file has another sum.
        fs::write(file.path(), "abcd").unwrap();
        image.sha256 = Some(sum.to_owned());
        let error = image.check_sum().unwrap_err().to_string();
        assert!(error.contains("its SHA-256 sum is 88d4266f"), "{error}");
    }
}
