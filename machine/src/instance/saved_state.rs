//! A machine that was saved: its files, and what is written down about them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backdoor_shell::Exit;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};

/// Where the manifest of a saved machine is in its directory.
pub(crate) const MANIFEST: &str = "template.json";

/// The guest's RAM, which clones map and copy as they write.
const RAM: &str = "ram";

/// The state of QEMU's devices.
const STATE: &str = "devices";

/// The serial console from the boot to the saving.
const CONSOLE_LOG: &str = "console.log";

/// Raised when the same files would mean something else.
pub(crate) const FORMAT: u32 = 6;

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
    /// The same from the machine's own start command; it is freshened as part of that.
    Own(Saved),
    /// The same, but its RAM is a copy in this file, to be saved.
    Extended(Saved, PathBuf),
}

/// A directory with a saved machine in it, which stays while this lives.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
    /// What its disks are on top of.
    parent: Option<Box<Saved>>,
    /// The directory, locked: whoever removes it must have it alone.
    _lock: Arc<File>,
}

/// What is written down about a saved machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// Of this one alone: what is made again from the same is another.
    pub(crate) id: String,
    /// What all that makes the machine comes to.
    pub(crate) key: String,
    /// Where it was made: its disks name each other by that.
    dir: PathBuf,
    parent: Option<Parent>,
    /// Why there is nothing else: it can't be saved.
    pub(crate) cannot: Option<String>,
    pub(crate) saved: Option<Contents>,
    files: Vec<Stamp>,
}

/// The saved machine that another began as.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parent {
    dir: PathBuf,
    key: String,
    id: String,
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
    /// The word that goes by what waits in the guest to be told what a clone has to do.
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
            Self::Saved(saved) | Self::Own(saved) | Self::Extended(saved, _) => Some(saved),
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
        let read = || -> io::Result<(File, Manifest)> {
            let lock = File::open(dir)?;
            lock.try_lock_shared()?;
            if lock.metadata()?.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it belongs to somebody else"));
            }
            Ok((lock, Manifest::read(dir)?))
        };
        let (lock, manifest) = read().map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.key != key {
            return Err("it was made from something else".to_owned());
        }
        if manifest.dir != dir {
            return Err(format!("it was made at {}", manifest.dir.display()));
        }
        let parent = manifest.parent.as_ref().map(|parent| {
            let opened = Self::open(&parent.dir, &parent.key);
            match opened.map_err(|reason| format!("its parent: {reason}"))? {
                opened if opened.manifest.id == parent.id => Ok(Box::new(opened)),
                _ => Err("its parent was made anew".to_owned()),
            }
        });
        let saved = Self {
            dir: dir.to_owned(),
            parent: parent.transpose()?,
            manifest,
            _lock: Arc::new(lock),
        };
        saved.check()?;
        Ok(saved)
    }

    /// Whether it still is as it was saved.
    ///
    /// # Errors
    /// Why it is not to be used any more.
    pub(crate) fn check(&self) -> Result<(), String> {
        let manifest = self.dir.join(MANIFEST);
        if !manifest.exists() {
            return Err(format!("{} is gone", manifest.display()));
        }
        for stamp in &self.manifest.files {
            match Stamp::of(&self.dir, &stamp.name) {
                Ok(now) if now == *stamp => {}
                Ok(_) => return Err(format!("{} has been changed", stamp.name)),
                Err(error) => return Err(format!("{}: {error}", stamp.name)),
            }
        }
        self.parent.as_ref().map_or(Ok(()), |parent| parent.check())
    }

    /// Draws the conclusion from a machine that could not go on from it.
    pub(crate) fn failed(&self, error: &Error) {
        match error.kind() {
            // It can't be loaded: one that is made now may be.
            ErrorKind::Template { .. } => self.spoil(),
            // Its guest can't become another, nor could that of the next one; unless something
            // was only killed.
            ErrorKind::CommandFailed {
                exit: Exit::Status(status),
                ..
            } if *status < 128 => self.give_up(format!(
                "its guest can't become another: what was to do that ended with {status}"
            )),
            _ => {}
        }
    }

    /// Has it say that such a machine can't be cloned, unless it is not used any more.
    fn give_up(&self, reason: String) {
        let there = Manifest::read(&self.dir);
        if there.is_ok_and(|there| there.id == self.manifest.id) {
            let manifest = Manifest {
                cannot: Some(reason),
                ..self.manifest.clone()
            };
            if let Err(error) = manifest.write() {
                tracing::warn!("can't write to {}: {error}", self.dir.display());
            }
        }
    }

    /// Why such a machine can't be cloned, as far as anybody knows by now.
    pub(crate) fn cannot(&self) -> Option<String> {
        let now = Manifest::read(&self.dir);
        now.ok().and_then(|manifest| manifest.cannot)
    }

    /// Sees to it that it is not used again.
    pub(crate) fn spoil(&self) {
        let manifest = self.dir.join(MANIFEST);
        if let Err(error) = fs::remove_file(&manifest)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("can't remove {}: {error}", manifest.display());
        }
    }

    /// Makes what is in `dir` complete, once it is on the disk: nothing is used without
    /// its manifest.
    pub(crate) fn seal(
        dir: &Path,
        key: &str,
        parent: Option<&Saved>,
        what: Result<Contents, String>,
    ) -> io::Result<()> {
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
        for name in &names {
            File::open(dir.join(name))?.sync_all()?;
        }
        let stamps = names.iter().map(|name| Stamp::of(dir, name));
        let manifest = Manifest {
            format: FORMAT,
            id: Uuid::new_v4().simple().to_string(),
            key: key.to_owned(),
            dir: dir.to_owned(),
            parent: parent.map(|parent| Parent {
                dir: parent.dir.clone(),
                key: parent.manifest.key.clone(),
                id: parent.manifest.id.clone(),
            }),
            cannot,
            saved,
            files: stamps.collect::<io::Result<_>>()?,
        };
        manifest.write()
    }
}

impl Manifest {
    fn read(dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(dir.join(MANIFEST))?)?)
    }

    /// Writes it to its directory, whole or not at all.
    fn write(&self) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(self.dir.join(MANIFEST))?;
        File::open(&self.dir)?.sync_all()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let [made, moved] = ["made", "moved"].map(|name| cache.path().join(name));
        fs::create_dir(&made).unwrap();
        Saved::seal(&made, "key", None, Err("a reason".to_owned())).unwrap();
        Saved::open(&made, "key").unwrap();
        fs::rename(&made, &moved).unwrap();
        let reason = Saved::open(&moved, "key").unwrap_err();
        assert!(reason.contains("made at"), "{reason}");
    }
}
