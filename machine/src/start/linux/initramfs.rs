//! Archives that Linux unpacks at its start: cpio, in the format newc.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use cpio::NewcBuilder;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// The mode and contents of each path. They are sorted, so a directory precedes its contents.
#[derive(Default)]
pub(super) struct Initramfs(BTreeMap<String, (u32, Vec<u8>)>);

impl Initramfs {
    pub(super) fn file(&mut self, path: &str, contents: impl Into<Vec<u8>>) {
        self.add(path, FILE, contents.into());
    }

    /// Adds an executable file.
    pub(super) fn program(&mut self, path: &str, contents: impl Into<Vec<u8>>) {
        self.add(path, PROGRAM, contents.into());
    }

    /// Adds a program to a directory of another archive, whose parents may be links: without the
    /// directory, Linux ignores the program.
    pub(super) fn program_in_place(&mut self, path: &str, contents: &str) {
        self.0.insert(path.to_owned(), (PROGRAM, contents.into()));
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.add(path, LINK, target.into());
    }

    /// The archive. It is not compressed: in an emulated guest, decompression takes longer
    /// than loading the larger file.
    pub(super) fn archive(self) -> io::Result<Vec<u8>> {
        let entries = self.0.into_iter().zip(1..);
        let entries = entries.map(|((path, (mode, contents)), inode)| {
            let entry = NewcBuilder::new(&path).ino(inode).mode(mode).nlink(1);
            (entry, Cursor::new(contents))
        });
        cpio::write_cpio(entries, Vec::new())
    }

    /// Adds an entry and its parent directories.
    fn add(&mut self, path: &str, mode: u32, contents: Vec<u8>) {
        for (slash, _) in path.match_indices('/') {
            let parent = path[..slash].to_owned();
            self.0.entry(parent).or_insert((DIRECTORY, Vec::new()));
        }
        self.0.insert(path.to_owned(), (mode, contents));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn directories_precede_their_contents() {
        let mut initramfs = Initramfs::default();
        initramfs.program("bin/sh", "text");
        let archive = initramfs.archive().unwrap();
        let directory = cpio::NewcReader::new(&archive[..]).unwrap();
        let entry = directory.entry();
        assert_eq!((entry.name(), entry.mode()), ("bin", DIRECTORY));
        let mut file = cpio::NewcReader::new(directory.finish().unwrap()).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((file.entry().name(), &*text), ("bin/sh", "text"));
    }
}
