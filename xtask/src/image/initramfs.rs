//! An initramfs, assembled file by file without root privileges.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use cpio::NewcBuilder;

use crate::host::find;
use crate::util::run;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// The script that reads the networks with other machines from the kernel command line.
pub(super) const VLANS: &str = include_str!("../../images/common/vlans");

/// The directories that the kernel or `/init` mounts file systems on.
const MOUNT_POINTS: [&str; 6] = ["dev", "proc", "sys", "tmp", "run", "disk"];

/// The mode and contents of each path. They are sorted, so a directory precedes its
/// contents. An entry replaces an earlier one with the same path.
#[derive(Default)]
pub(super) struct Initramfs(BTreeMap<String, (u32, Vec<u8>)>);

impl Initramfs {
    /// An initramfs with busybox, links for all its applets, the mount points and
    /// `/etc/vlans`.
    pub(super) fn with_busybox() -> Result<Self> {
        let mut initramfs = Self::default();
        for dir in MOUNT_POINTS {
            initramfs.add(dir, DIRECTORY, b"");
        }
        let busybox = find("busybox").context("busybox is missing")?;
        let applets = run(Command::new(&busybox).arg("--list-full"))?;
        for applet in String::from_utf8_lossy(&applets.stdout).lines() {
            initramfs.link(applet, "/bin/busybox");
        }
        initramfs.program("bin/busybox", fs::read(busybox)?);
        initramfs.program("etc/vlans", VLANS);
        Ok(initramfs)
    }

    /// Adds a directory.
    pub(super) fn dir(&mut self, path: &str) {
        self.add(path, DIRECTORY, b"");
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, contents: impl AsRef<[u8]>) {
        self.add(path, FILE, contents.as_ref());
    }

    /// Adds an executable file.
    pub(super) fn program(&mut self, path: &str, contents: impl AsRef<[u8]>) {
        self.add(path, PROGRAM, contents.as_ref());
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.add(path, LINK, target.as_bytes());
    }

    /// Adds kernel modules to `lib/modules`, and the file `list` with their names in load
    /// order.
    pub(super) fn modules(&mut self, list: &str, modules: &[PathBuf]) -> Result<()> {
        let mut names = String::new();
        for module in modules {
            let name = module.file_name().context("the module has no file name")?;
            let name = name.to_string_lossy();
            self.file(&format!("lib/modules/{name}"), fs::read(module)?);
            names.push_str(&name);
            names.push('\n');
        }
        self.file(list, names);
        Ok(())
    }

    /// Writes a cpio archive. It is not compressed: in an emulated guest, decompression
    /// takes longer than loading the larger file.
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let entries = self.0.into_iter().zip(1..);
        let entries = entries.map(|((path, (mode, contents)), inode)| {
            let entry = NewcBuilder::new(&path).ino(inode).mode(mode).nlink(1);
            (entry, Cursor::new(contents))
        });
        let mut file = io::BufWriter::new(File::create(path)?);
        cpio::write_cpio(entries, &mut file)?;
        file.flush()?;
        Ok(())
    }

    /// Adds an entry and its parent directories.
    fn add(&mut self, path: &str, mode: u32, contents: &[u8]) {
        for (slash, _) in path.match_indices('/') {
            let parent = path[..slash].to_owned();
            self.0.entry(parent).or_insert((DIRECTORY, Vec::new()));
        }
        self.0.insert(path.to_owned(), (mode, contents.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_precede_their_contents() {
        let mut initramfs = Initramfs::default();
        initramfs.file("usr/bin/nc", "text");
        initramfs.link("bin/sh", "/bin/busybox");
        let paths: Vec<&str> = initramfs.0.keys().map(String::as_str).collect();
        assert_eq!(paths, ["bin", "bin/sh", "usr", "usr/bin", "usr/bin/nc"]);
    }

    #[test]
    fn an_entry_replaces_an_earlier_one() {
        let mut initramfs = Initramfs::default();
        initramfs.link("sbin/reboot", "/bin/busybox");
        initramfs.program("sbin/reboot", "#!/bin/sh");
        let (mode, contents) = &initramfs.0["sbin/reboot"];
        assert_eq!((*mode, &contents[..]), (PROGRAM, &b"#!/bin/sh"[..]));
    }

    #[test]
    fn cpio_reads_the_archive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("initrd");
        let mut initramfs = Initramfs::default();
        initramfs.file("etc/hostname", "minimal\n");
        initramfs.write(&path).unwrap();

        let mut file = File::open(path).unwrap();
        let directory = cpio::NewcReader::new(&mut file).unwrap();
        assert_eq!(
            (directory.entry().name(), directory.entry().mode()),
            ("etc", DIRECTORY)
        );
        let mut entry = cpio::NewcReader::new(directory.finish().unwrap()).unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut entry, &mut text).unwrap();
        assert_eq!(
            (entry.entry().name(), text.as_str()),
            ("etc/hostname", "minimal\n")
        );
    }
}
