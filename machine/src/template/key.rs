//! The key of a template: a hash of everything that it is made from.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Recipe;
use super::hash::Hash;
use crate::guest::identity::AGENT;
use crate::host::accelerator::{Accelerator, accelerator};
use crate::host::blocking::blocking;
use crate::host::process::{CommandSpec, find_in_path};
use crate::host::relative_path::relative;
use crate::host::sockets::Sockets;
use crate::host::vlan;
use crate::instance::{self, saved_state};

/// The key of what a recipe makes on this host; `steps` is the key of its steps, `cache` the
/// cache directory without symbolic links.
pub(super) async fn key(recipe: &Recipe, steps: &str, cache: &Path) -> String {
    let mut hash = Hash::default();
    // Another version of this crate may add something else to a machine.
    hash.text(env!("CARGO_PKG_VERSION"));
    hash.number(saved_state::FORMAT.into());
    // The programs that wait in the saved guest.
    hash.text(backdoor_shell::AGENT);
    hash.text(AGENT);
    let state = Path::new("/state");
    let connections = instance::connections(&Sockets::in_dir(state), false);
    for word in connections.iter().chain(&instance::copies(state)) {
        hash.bytes(word.as_bytes());
    }
    let accelerator = accelerator().await;
    hash.text(accelerator.name());
    if accelerator == Accelerator::Kvm {
        hash_processor(&mut hash);
    }
    if let Some(qemu) = find_in_path("qemu-system-x86_64") {
        hash.stamp(&qemu, &qemu);
    }
    let start = recipe.start.clone();
    let (disk, files) = blocking(move || (start.disk_version(), start.files())).await;
    // What can't be read is an error of the machine's start.
    hash.text(&disk.ok().flatten().unwrap_or_default());
    for file in files.unwrap_or_default() {
        hash.text(&file.path);
        hash.bytes(&file.contents);
    }
    let mut command = CommandHash {
        hash: &mut hash,
        dir: cache,
    };
    // The disk's backing file is the one with this path.
    if let Some(image) = recipe.start.base_image() {
        let seen = command.seen(image);
        command.hash.bytes(seen.as_os_str().as_bytes());
    }
    // The path of the share differs between machines, and is not saved.
    if let Ok(spec) = recipe.start.spec(accelerator, Path::new("/shared")) {
        command.command(&spec);
        for (name, value) in read_variables(&spec, &recipe.vlans) {
            command.hash.bytes(name.as_bytes());
            if name.as_bytes().starts_with(b"NIX_") {
                // The machine writes to such files.
                command.hash.bytes(value.as_bytes());
            } else {
                command.words(&[value]);
            }
        }
    }
    // Not its key: the disks' backing files are those of exactly this one.
    let parent = recipe.parent.as_ref();
    hash.text(parent.map_or("", |parent| &parent.saved.manifest.id));
    for vlan in &recipe.vlans {
        hash.number((*vlan).into());
    }
    hash.number(recipe.vlans.len() as u64);
    hash.number(recipe.has_shell.into());
    hash.text(steps);
    hash.hex()
}

/// The host's processor, whose features a guest under KVM uses. All cores are alike.
fn hash_processor(hash: &mut Hash) {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = processors.split("\n\n").next().unwrap_or_default();
    for line in first.lines() {
        if line.starts_with("model name") || line.starts_with("flags") {
            hash.text(line);
        }
    }
}

/// The hash of a start command. Paths are those seen from the cache directory, so that a
/// template is found after it was moved, together with its image.
struct CommandHash<'a> {
    hash: &'a mut Hash,
    /// The cache directory.
    dir: &'a Path,
}

impl CommandHash<'_> {
    /// The command, and the files that its arguments name.
    fn command(&mut self, spec: &CommandSpec) {
        self.file(Path::new(&spec.program));
        self.words(&spec.args);
    }

    /// Arguments, and the files that they name.
    fn words(&mut self, words: &[OsString]) {
        for word in words {
            let parts = word.as_bytes().split_inclusive(|byte| is_separator(*byte));
            for part in parts {
                let (text, separator) = match part {
                    [text @ .., last] if is_separator(*last) => (text, &part[text.len()..]),
                    text => (text, &[][..]),
                };
                let path = Path::new(OsStr::from_bytes(text));
                if path.is_absolute() && path.is_file() {
                    self.file(path);
                } else {
                    self.hash.bytes(text);
                }
                self.hash.bytes(separator);
            }
            self.hash.text("end of word");
        }
    }

    /// A file, and if it is a start script, the image beside it.
    fn file(&mut self, path: &Path) {
        self.stamp(path);
        // Several machines of one image are symbolic links to its script.
        let script = path.canonicalize().unwrap_or(path.to_owned());
        self.stamp(&script);
        if let Some(image) = script.parent()
            && path.file_name().is_some_and(is_start_script)
            && let Ok(entries) = fs::read_dir(image)
        {
            let files = entries.flatten().map(|entry| entry.path());
            // Not directories, which may be those of machines.
            let mut files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
            files.sort();
            for file in &files {
                self.stamp(file);
            }
        }
    }

    fn stamp(&mut self, path: &Path) {
        self.hash.stamp(&self.seen(path), path);
    }

    /// A path as seen from the cache directory. Its own name is kept if it is a symbolic link.
    fn seen(&self, path: &Path) -> PathBuf {
        let dir = path.parent().and_then(|dir| dir.canonicalize().ok());
        match (dir, path.file_name()) {
            (Some(dir), Some(name)) => relative(&dir.join(name), self.dir),
            _ => path.to_owned(),
        }
    }
}

fn is_separator(byte: u8) -> bool {
    b",= '\"".contains(&byte)
}

/// The environment variables that start scripts read, and those that the command names.
fn read_variables(spec: &CommandSpec, vlans: &[u32]) -> BTreeMap<OsString, OsString> {
    const BY_SCRIPTS: [&str; 5] = [
        "NIX_DISK_IMAGE",
        "NIX_SWTPM_DIR",
        "QEMU_",
        "VM_NODES",
        "VM_VLANS",
    ];
    // They differ between machines, or are in the key already.
    const OURS: [&str; 5] = [
        "NIX_EFI_VARS",
        "SHARED_DIR",
        "TMPDIR",
        "USE_TMPDIR",
        "VM_ACCEL",
    ];
    let words = spec.args.iter().map(|word| word.to_string_lossy());
    let named: HashSet<String> = words.flat_map(|word| named_in(&word)).collect();
    let is_read = |name: &OsString| {
        let text = name.to_string_lossy();
        let is_ours = OURS.contains(&text.as_ref())
            || vlan::number(name).is_some_and(|number| vlans.contains(&number));
        let by_scripts = BY_SCRIPTS.iter().any(|begin| text.starts_with(begin));
        !is_ours && (by_scripts || named.contains(text.as_ref()))
    };
    env::vars_os().filter(|(name, _)| is_read(name)).collect()
}

/// The variables in a shell command.
fn named_in(word: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after_dollars = word.split('$').skip(1);
    let named = after_dollars.map(|text| text.strip_prefix('{').unwrap_or(text));
    named
        .map(|text| text.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

fn is_start_script(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"run-")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::start::{CloudImage, DiskImage};
    use crate::template::Template;

    /// The key of a command for a cache in `dir`.
    fn key_in(dir: &Path, spec: &CommandSpec) -> String {
        let mut hash = Hash::default();
        let mut command = CommandHash {
            hash: &mut hash,
            dir,
        };
        command.command(spec);
        hash.hex()
    }

    fn key_of(spec: &CommandSpec) -> String {
        key_in(Path::new("/cache"), spec)
    }

    #[test]
    fn variables_that_words_name() {
        assert_eq!(
            named_in("-append \"$ONE ${TWO:-x}\" $$ $1 x=$_y3,z"),
            ["ONE", "TWO", "", "", "1", "_y3"]
        );
        let read = |args: &[&str]| {
            let args = args.iter().map(OsString::from).collect();
            let program = OsString::new();
            read_variables(&CommandSpec { program, args }, &[])
        };
        let read = [&["$PATH ${TMPDIR}"][..], &["PATH $PATH_"], &[]].map(read);
        let path = OsStr::new("PATH");
        assert_eq!(
            read.each_ref().map(|it| it.contains_key(path)),
            [true, false, false]
        );
        assert!(!read[0].contains_key(OsStr::new("TMPDIR")));
    }

    #[tokio::test]
    async fn an_image_counts_by_its_contents() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk.qcow2");
        let template = Template::builder(DiskImage::new(&image));
        let key = async || key(&template.recipe, "", dir.path()).await;
        fs::write(&image, "one").unwrap();
        let first = key().await;
        let earlier = SystemTime::now() - Duration::from_mins(1);
        let file = File::options().write(true).open(&image).unwrap();
        file.set_modified(earlier).unwrap();
        assert_eq!(first, key().await);
        fs::write(&image, "two").unwrap();
        let second = key().await;
        assert_ne!(first, second);
        for other in [
            DiskImage::new(&image).size_gib(10),
            DiskImage::new(&image).sha256("0".repeat(64)),
        ] {
            let template = Template::builder(other);
            let other = super::key(&template.recipe, "", dir.path()).await;
            assert_ne!(second, other);
        }
    }

    #[tokio::test]
    async fn a_seed_counts_by_its_contents() {
        let key = async |user_data: &str| {
            let image = CloudImage::new("/no/image").user_data(user_data);
            key(&Template::builder(image).recipe, "", Path::new("/cache")).await
        };
        let first = key("#cloud-config\n{}\n").await;
        assert_eq!(first, key("#cloud-config\n{}\n").await);
        assert_ne!(first, key("#cloud-config\npackages: [git]\n").await);
    }

    #[test]
    fn a_file_in_a_word_that_is_written_again_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let kernel = dir.path().join("vmlinuz");
        let spec = CommandSpec {
            program: "qemu".into(),
            args: vec![format!("-x kernel={},y", kernel.display()).into()],
        };
        let key = || key_of(&spec);
        fs::write(&kernel, "one").unwrap();
        let first = key();
        fs::write(&kernel, "another").unwrap();
        assert_ne!(first, key());
    }

    #[test]
    fn an_image_that_is_written_again_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("run-x-vm");
        fs::write(&script, "exec qemu").unwrap();
        let disk = dir.path().join("disk.qcow2");
        let spec = CommandSpec {
            program: script.into(),
            args: vec![],
        };
        let key = || key_of(&spec);
        let without = key();
        fs::write(&disk, "one").unwrap();
        let first = key();
        fs::write(&disk, "another").unwrap();
        assert!(without != first && first != key());
    }

    #[test]
    fn an_image_is_where_the_script_really_is() {
        let [image, links] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let script = image.path().join("run-x-vm");
        fs::write(&script, "exec qemu").unwrap();
        let link = links.path().join("run-y-vm");
        std::os::unix::fs::symlink(&script, &link).unwrap();
        let spec = CommandSpec {
            program: link.into(),
            args: vec![],
        };
        let key = || key_of(&spec);
        let without = key();
        fs::write(image.path().join("disk.raw"), "one").unwrap();
        assert_ne!(without, key());
    }

    #[test]
    fn a_moved_image_is_the_same_if_its_cache_was_moved_with_it() {
        let home = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| home.path().join(name));
        let spec = |dir: &Path, append: &str| CommandSpec {
            program: dir.join("run-x-vm").into(),
            args: vec![format!("-kernel '{}' {append}", dir.join("vmlinuz").display()).into()],
        };
        fs::create_dir(&old).unwrap();
        for name in ["run-x-vm", "vmlinuz"] {
            fs::write(old.join(name), "contents").unwrap();
        }
        let first = key_in(&old.join("templates"), &spec(&old, ""));
        assert_ne!(first, key_in(&old.join("templates"), &spec(&old, "-x")));
        assert_ne!(first, key_in(&new.join("templates"), &spec(&old, "")));
        fs::rename(&old, &new).unwrap();
        assert_eq!(first, key_in(&new.join("templates"), &spec(&new, "")));
    }
}
