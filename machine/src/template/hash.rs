//! A hash of many parts.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::host::sha256;

/// SHA-256 of parts, each with its length, so that they can't run into each other.
#[derive(Default)]
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

    /// The contents of a file.
    pub(super) fn content(&mut self, file: &Path) -> io::Result<()> {
        self.text(&sha256::of_file(file)?);
        Ok(())
    }

    /// A file by its name, length and modification time: images are too large to read.
    pub(super) fn stamp(&mut self, name: &Path, path: &Path) {
        self.bytes(name.as_os_str().as_bytes());
        let Ok(file) = fs::metadata(path) else {
            return;
        };
        self.number(file.size());
        self.number(file.mtime().cast_unsigned());
        self.number(file.mtime_nsec().cast_unsigned());
    }

    pub(super) fn hex(self) -> String {
        sha256::hex(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> String {
        let mut hash = Hash::default();
        for part in parts {
            hash.text(part);
        }
        hash.hex()
    }

    /// Keys are in the names of templates, which other versions find.
    #[test]
    fn a_hash_stays_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        let mut hash = Hash::default();
        hash.text("a");
        hash.number(1);
        hash.content(file.path()).unwrap();
        assert_eq!(
            hash.hex(),
            "9875c06ecda643e413756766db57ea8c32baae882f565c98b580fcb3182ab174"
        );
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
    }
}
