//! A machine that was saved: its files, and what is written down about them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the manifest of a saved machine is in its directory.
pub(crate) const MANIFEST: &str = "template.json";

/// The guest's RAM, which clones map and copy as they write.
const RAM: &str = "ram";

/// The state of QEMU's devices.
const STATE: &str = "devices";

/// The serial console from the boot to the saving.
const CONSOLE_LOG: &str = "console.log";

/// Raised when the same files would mean something else.
const FORMAT: u32 = 2;

/// What a QEMU's RAM is when it is not QEMU's own business.
#[derive(Clone, Debug)]
pub(crate) struct Ram {
    pub(crate) file: PathBuf,
    /// In bytes; must be what the start command gives the guest.
    pub(crate) size: u64,
}

/// How a QEMU begins.
#[derive(Clone, Debug, Default)]
pub(crate) enum Origin {
    /// The guest boots.
    #[default]
    Boot,
    /// The guest does not run: QEMU is only asked.
    Paused,
    /// The guest boots, and its RAM is the file's content, to be saved.
    Kept(Ram),
    /// The guest goes on where it was saved.
    Saved(Saved),
    /// The same, but its RAM is a copy in this file, to be saved.
    Extended(Saved, PathBuf),
}

/// A directory with a saved machine in it.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
}

/// What is written down about a saved machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// What all that makes the machine comes to.
    pub(crate) key: String,
    /// Why there is nothing else: it can't be saved.
    pub(crate) cannot: Option<String>,
    pub(crate) saved: Option<Contents>,
    files: Vec<Stamp>,
}

/// What was saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The version of QEMU that did it.
    pub(crate) qemu: String,
    pub(crate) ram_size: u64,
    /// What it takes to resume the guest's shell.
    pub(crate) session: String,
    /// The disks' names in the machine's state directory.
    pub(crate) disks: Vec<Disk>,
    /// The shares that were mounted and must not be while it is saved.
    pub(crate) mounts: Vec<Mount>,
    /// Where in the guest something waits for what a clone has to do.
    pub(crate) waiter: Option<String>,
    /// The hardware addresses of cards on networks with others.
    pub(crate) macs: Vec<String>,
}

/// A disk in QEMU's format qcow2.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disk {
    pub(crate) name: String,
    /// In bytes, as the guest sees it.
    pub(crate) size: u64,
}

/// A line of the guest's `/proc/mounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    pub(crate) source: String,
    pub(crate) dir: String,
    pub(crate) options: String,
}

/// What a file must look like to be the one that was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    name: String,
    length: u64,
    /// Seconds and nanoseconds since the epoch.
    modified: (i64, i64),
}

impl Stamp {
    fn of(dir: &Path, name: &str) -> io::Result<Self> {
        let file = fs::symlink_metadata(dir.join(name))?;
        if !file.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        Ok(Self {
            name: name.to_owned(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

impl Origin {
    /// What a guest goes on from.
    pub(crate) fn saved(&self) -> Option<&Saved> {
        match self {
            Self::Saved(saved) | Self::Extended(saved, _) => Some(saved),
            Self::Boot | Self::Paused | Self::Kept(_) => None,
        }
    }
}

impl Saved {
    pub(crate) fn contents(&self) -> Option<&Contents> {
        self.manifest.saved.as_ref()
    }

    pub(crate) fn ram(&self) -> PathBuf {
        ram(&self.dir)
    }

    pub(crate) fn state(&self) -> PathBuf {
        state(&self.dir)
    }

    pub(crate) fn console_log(&self) -> PathBuf {
        console_log(&self.dir)
    }

    /// Takes what is in `dir`, if it was made by `key` and nobody has touched it.
    ///
    /// # Errors
    /// Why it is not to be used.
    pub(crate) fn open(dir: &Path, key: &str) -> Result<Self, String> {
        let read = || -> io::Result<Manifest> {
            let owner = fs::symlink_metadata(dir)?;
            if owner.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it belongs to somebody else"));
            }
            Ok(serde_json::from_slice(&fs::read(dir.join(MANIFEST))?)?)
        };
        let manifest = read().map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.key != key {
            return Err("it was made from something else".to_owned());
        }
        for stamp in &manifest.files {
            match Stamp::of(dir, &stamp.name) {
                Ok(now) if now == *stamp => {}
                Ok(_) => return Err(format!("{} has been changed", stamp.name)),
                Err(error) => return Err(format!("{}: {error}", stamp.name)),
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
        })
    }

    /// Makes what is in `dir` complete: nothing is used without its manifest.
    pub(crate) fn seal(dir: &Path, key: &str, what: Result<Contents, String>) -> io::Result<()> {
        let (saved, cannot) = match what {
            Ok(contents) => (Some(contents), None),
            Err(reason) => (None, Some(reason)),
        };
        let mut names = Vec::new();
        if let Some(contents) = &saved {
            names.extend([RAM, STATE, CONSOLE_LOG].map(str::to_owned));
            for disk in &contents.disks {
                names.push(base_name(&disk.name));
                names.push(overlay_name(&disk.name));
            }
        }
        let stamps = names.iter().map(|name| Stamp::of(dir, name));
        let manifest = Manifest {
            format: FORMAT,
            key: key.to_owned(),
            cannot,
            saved,
            files: stamps.collect::<io::Result<_>>()?,
        };
        fs::write(dir.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)
    }
}

pub(crate) fn ram(dir: &Path) -> PathBuf {
    dir.join(RAM)
}

pub(crate) fn state(dir: &Path) -> PathBuf {
    dir.join(STATE)
}

pub(crate) fn console_log(dir: &Path) -> PathBuf {
    dir.join(CONSOLE_LOG)
}

/// A disk as it was saved.
pub(crate) fn base_name(disk: &str) -> String {
    format!("disk-{disk}")
}

/// An empty image on top of that, of which each clone has a copy.
pub(crate) fn overlay_name(disk: &str) -> String {
    format!("overlay-{disk}")
}
