//! What a template is made from, as one number.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Recipe;
use super::step::Step;
use crate::host::accelerator::{Accelerator, accelerator};
use crate::host::process::CommandSpec;
use crate::host::state_dir::Sockets;
use crate::host::vlan;
use crate::instance::arguments as qemu_args;
use crate::instance::clone_agent::WAITER;
use crate::instance::saved_state;

/// How much of a file is read at once.
const PIECE: usize = 1 << 16;

/// SHA-256 of parts that can't run into each other.
pub(super) struct Hash(Sha256);

impl Hash {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// What is in a file, of whatever length.
    pub(super) fn content(&mut self, file: &Path) -> io::Result<()> {
        let mut file = BufReader::with_capacity(PIECE, File::open(file)?);
        let mut content = Sha256::new();
        loop {
            let piece = file.fill_buf()?;
            if piece.is_empty() {
                self.bytes(&content.finalize());
                return Ok(());
            }
            content.update(piece);
            let read = piece.len();
            file.consume(read);
        }
    }

    /// A file, by where it is, how long, and when it was written: images are large.
    fn stamp(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
        let Ok(file) = fs::metadata(path) else {
            return;
        };
        self.number(file.size());
        self.number(file.mtime().cast_unsigned());
        self.number(file.mtime_nsec().cast_unsigned());
    }

    fn hex(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The key of what a recipe makes on this host, with that of its steps.
pub(super) async fn key(recipe: &Recipe, steps: &str) -> String {
    let mut hash = Hash(Sha256::new());
    // Whatever this crate adds to a machine may be different in another version.
    hash.text(env!("CARGO_PKG_VERSION"));
    hash.number(saved_state::FORMAT.into());
    // What waits in the guest for us to go on.
    hash.text(backdoor_shell::AGENT);
    hash.text(WAITER);
    for word in qemu_args::connections(&Sockets::in_dir(Path::new("/state")), false) {
        hash.bytes(word.as_bytes());
    }
    let accelerator = accelerator().await;
    hash.text(accelerator.name());
    if accelerator == Accelerator::Kvm {
        hash_processor(&mut hash);
    }
    if let Some(qemu) = in_path("qemu-system-x86_64") {
        hash.stamp(&qemu);
    }
    // The share is elsewhere for each machine, and is not saved.
    if let Ok(spec) = recipe.start.spec(accelerator, Path::new("/shared")) {
        hash_command(&mut hash, &spec);
        for (name, value) in read_variables(&spec, &recipe.vlans) {
            hash.bytes(name.as_bytes());
            if name.as_bytes().starts_with(b"NIX_") {
                // Such files are the machine's to write to.
                hash.bytes(value.as_bytes());
            } else {
                hash_words(&mut hash, &[value]);
            }
        }
    }
    // Not its key: disks are on top of those of this very one.
    let parent = recipe.parent.as_ref();
    hash.text(parent.map_or("", |parent| &parent.saved.manifest.id));
    for vlan in &recipe.vlans {
        hash.number((*vlan).into());
    }
    hash.number(recipe.vlans.len() as u64);
    hash.text(steps);
    hash.hex()
}

/// The key of a preparation alone.
///
/// # Errors
/// A file that it copies can't be read.
pub(super) fn key_of_steps(steps: &[Step]) -> io::Result<String> {
    let mut hash = Hash(Sha256::new());
    for step in steps {
        step.hash(&mut hash)?;
    }
    Ok(hash.hex())
}

/// The host's processor, which a guest under KVM sees: another may lack something that it has
/// found. All are alike.
fn hash_processor(hash: &mut Hash) {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = processors.split("\n\n").next().unwrap_or_default();
    for line in first.lines() {
        if line.starts_with("model name") || line.starts_with("flags") {
            hash.text(line);
        }
    }
}

/// The command, and the files that its words name.
fn hash_command(hash: &mut Hash, spec: &CommandSpec) {
    hash_file(hash, Path::new(&spec.program));
    hash_words(hash, &spec.args);
}

/// Words, and the files that they name.
fn hash_words(hash: &mut Hash, words: &[OsString]) {
    for word in words {
        hash.bytes(word.as_bytes());
        let parts = word.as_bytes().split(|byte| b",= '\"".contains(byte));
        let paths = parts.map(|part| Path::new(OsStr::from_bytes(part)));
        for path in paths.filter(|path| path.is_absolute() && path.is_file()) {
            hash_file(hash, path);
        }
    }
}

/// A file, and if it is a start script, the image: what is beside it.
fn hash_file(hash: &mut Hash, path: &Path) {
    hash.stamp(path);
    // Several machines of one image are links to its script.
    let script = path.canonicalize().unwrap_or(path.to_owned());
    hash.stamp(&script);
    if let Some(image) = script.parent()
        && path.file_name().is_some_and(is_start_script)
        && let Ok(entries) = fs::read_dir(image)
    {
        let files = entries.flatten().map(|entry| entry.path());
        // Not directories: machines may have theirs there.
        let mut files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
        files.sort();
        for file in &files {
            hash.stamp(file);
        }
    }
}

/// What the environment says to start scripts, and to a command whose words name it.
fn read_variables(spec: &CommandSpec, vlans: &[u32]) -> BTreeMap<OsString, OsString> {
    const BY_SCRIPTS: [&str; 6] = [
        "NIX_DISK_IMAGE",
        "NIX_EFI_VARS",
        "NIX_SWTPM_DIR",
        "QEMU_",
        "VM_NODES",
        "VM_VLANS",
    ];
    // Each machine is told another value, or what is in the key already.
    const OURS: [&str; 4] = ["SHARED_DIR", "TMPDIR", "USE_TMPDIR", "VM_ACCEL"];
    let words = spec.args.iter().map(|word| word.to_string_lossy());
    let named: HashSet<String> = words.flat_map(|word| named_in(&word)).collect();
    let is_read = |name: &OsString| {
        let text = name.to_string_lossy();
        let is_told = OURS.contains(&text.as_ref())
            || vlan::number(name).is_some_and(|number| vlans.contains(&number));
        let by_scripts = BY_SCRIPTS.iter().any(|begin| text.starts_with(begin));
        !is_told && (by_scripts || named.contains(text.as_ref()))
    };
    env::vars_os().filter(|(name, _)| is_read(name)).collect()
}

/// The variables in a line of the shell's.
fn named_in(word: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let behind_signs = word.split('$').skip(1);
    let named = behind_signs.map(|text| text.strip_prefix('{').unwrap_or(text));
    named
        .map(|text| text.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

fn is_start_script(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"run-")
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> String {
        let mut hash = Hash(Sha256::new());
        for part in parts {
            hash.text(part);
        }
        hash.hex()
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
    }

    fn key_of(spec: &CommandSpec) -> String {
        let mut hash = Hash(Sha256::new());
        hash_command(&mut hash, spec);
        hash.hex()
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

    #[test]
    fn a_file_in_a_word_that_is_written_again_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let kernel = dir.path().join("vmlinuz");
        let word = OsString::from(format!("-x kernel={},y", kernel.display()));
        let key = || {
            let mut hash = Hash(Sha256::new());
            hash_words(&mut hash, std::slice::from_ref(&word));
            hash.hex()
        };
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
}
