//! An initramfs, put together file by file, without root.

use std::fs::{self, File};
use std::io::{self, Cursor, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use cpio::NewcBuilder;

use crate::host::find;
use crate::util::run;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// The entries of an initramfs. It is not compressed: an emulated guest takes
/// longer to unpack it than QEMU does to load it.
#[derive(Default)]
pub(super) struct Initramfs {
    entries: Vec<(String, u32, Vec<u8>)>,
}

impl Initramfs {
    /// Busybox with all its names, and the directories that any guest has.
    pub(super) fn with_busybox() -> Result<Self> {
        let mut initramfs = Self::default();
        for dir in [
            "bin",
            "sbin",
            "usr",
            "usr/bin",
            "usr/sbin",
            "etc",
            "lib",
            "lib/modules",
        ] {
            initramfs.dir(dir);
        }
        for dir in ["dev", "proc", "sys", "tmp", "run", "root", "disk"] {
            initramfs.dir(dir);
        }
        let busybox = find("busybox").context("busybox is missing")?;
        initramfs.program("bin/busybox", &fs::read(&busybox)?);
        let applets = run(Command::new(busybox).arg("--list-full"))?;
        for applet in String::from_utf8_lossy(&applets.stdout).lines() {
            if applet != "bin/busybox" {
                initramfs.link(applet, "/bin/busybox");
            }
        }
        Ok(initramfs)
    }

    pub(super) fn dir(&mut self, path: &str) {
        self.entries.push((path.to_owned(), DIRECTORY, Vec::new()));
    }

    pub(super) fn file(&mut self, path: &str, data: impl AsRef<[u8]>) {
        self.entries
            .push((path.to_owned(), FILE, data.as_ref().to_owned()));
    }

    pub(super) fn program(&mut self, path: &str, data: impl AsRef<[u8]>) {
        self.entries
            .push((path.to_owned(), PROGRAM, data.as_ref().to_owned()));
    }

    /// A symbolic link; one of the same name that is there already stays.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        if self.entries.iter().all(|(there, ..)| there != path) {
            self.entries
                .push((path.to_owned(), LINK, target.as_bytes().to_owned()));
        }
    }

    /// Adds modules to `lib/modules`, and their names, in order, as the file
    /// `list`, for `insmod`.
    pub(super) fn modules(&mut self, list: &str, modules: &[impl AsRef<Path>]) -> Result<()> {
        let mut names = String::new();
        for module in modules {
            let name = module
                .as_ref()
                .file_name()
                .context("a module is a file")?
                .to_string_lossy();
            self.file(&format!("lib/modules/{name}"), fs::read(module)?);
            names.push_str(&name);
            names.push('\n');
        }
        self.file(list, names);
        Ok(())
    }

    /// Writes it as a cpio archive.
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let inputs = self
            .entries
            .into_iter()
            .zip(1..)
            .map(|((path, mode, data), inode)| {
                let entry = NewcBuilder::new(&path).ino(inode).mode(mode).nlink(1);
                (entry, Cursor::new(data))
            });
        let mut file = io::BufWriter::new(File::create(path)?);
        cpio::write_cpio(inputs, &mut file)?;
        file.flush()?;
        Ok(())
    }
}
