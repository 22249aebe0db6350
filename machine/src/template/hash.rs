//! A hash of many parts.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// How many bytes of a file are read at once.
const PIECE: usize = 1 << 16;

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

    /// A file by its path, length and modification time: images are too large to read.
    pub(super) fn stamp(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
        let Ok(file) = fs::metadata(path) else {
            return;
        };
        self.number(file.size());
        self.number(file.mtime().cast_unsigned());
        self.number(file.mtime_nsec().cast_unsigned());
    }

    pub(super) fn hex(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
    }
}
