//! A saved machine: its files and their manifest.

mod adapt;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backdoor_shell::Exit;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::guest::parse::mounts::Mount;
use crate::host::files::remove_file_if_exists;

/// The file name of the manifest.
pub(crate) const MANIFEST: &str = "template.json";

/// The guest's RAM, which clones map copy-on-write.
const RAM: &str = "ram";

/// The state of QEMU's devices.
const STATE: &str = "devices";

/// The log of the serial console up to the saving.
const CONSOLE_LOG: &str = "console.log";

/// Incremented when the meaning of the files changes.
pub(crate) const FORMAT: u32 = 9;

/// A directory with a saved machine, which is not removed while this lives.
#[derive(Clone, Debug)]
pub(crate) struct SavedState {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
    /// The state whose disks are the backing files of this one's.
    parent: Option<Box<SavedState>>,
    /// The directory, under a shared lock: it is removed under an exclusive one.
    _lock: Arc<File>,
}

/// The description of a saved machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// Unique: a state that is made again from the same input has another one.
    pub(crate) id: String,
    /// A hash of everything that the state is made from.
    pub(crate) key: String,
    /// Where it was made: its disks refer to each other by this path.
    dir: PathBuf,
    parent: Option<Parent>,
    /// Why the machine can't be saved, or its guest can't be cloned.
    pub(crate) unsupported_reason: Option<String>,
    pub(crate) vm: Option<SavedVm>,
    files: Vec<FileStamp>,
}

/// The saved machine that another one was started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parent {
    dir: PathBuf,
    key: String,
    id: String,
}

/// What was saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedVm {
    /// The version of the QEMU that saved it.
    pub(crate) qemu: String,
    pub(crate) ram_size: u64,
    /// The session of the guest's shell, if it has one.
    pub(crate) session: Option<String>,
    /// The disks in the machine's state directory.
    pub(crate) disks: Vec<Disk>,
    /// The shares that were unmounted for the saving.
    pub(crate) mounts: Vec<Mount>,
    /// The token of the clone agent that waits in the guest, if there is one.
    pub(crate) agent: Option<String>,
    /// What the console's screen showed.
    pub(crate) screen: String,
    /// The hardware addresses of cards on networks with other machines.
    pub(crate) macs: Vec<String>,
}

/// A saved disk, in the format qcow2.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// Its file name in the machine's state directory.
    pub(crate) name: String,
    /// In bytes, as the guest sees it.
    pub(crate) size: u64,
}

/// The properties by which a change of a file is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileStamp {
    name: String,
    length: u64,
    /// In seconds since the epoch: most archives keep no fractions.
    modified: i64,
}

impl FileStamp {
    fn of(dir: &Path, name: &str) -> io::Result<Self> {
        let file = fs::symlink_metadata(dir.join(name))?;
        if !file.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Self {
            name: name.to_owned(),
            length: file.len(),
            modified: file.mtime(),
        })
    }
}

impl SavedState {
    /// What was saved; nothing if the machine can't be saved.
    pub(crate) fn vm(&self) -> Option<&SavedVm> {
        self.manifest.vm.as_ref()
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

    /// Opens the state in `dir`, if its key is `key` and its files are unchanged.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(crate) fn open(dir: &Path, key: &str) -> Result<Self, String> {
        let read = || -> io::Result<(File, Manifest)> {
            let lock = File::open(dir)?;
            lock.try_lock_shared()?;
            if lock.metadata()?.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it belongs to another user"));
            }
            Ok((lock, Manifest::read(dir)?))
        };
        let (lock, manifest) = read().map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.key != key {
            return Err("it was made from other files".to_owned());
        }
        if manifest.dir != dir {
            return Err(format!("it was made at {}", manifest.dir.display()));
        }
        let parent = manifest.parent.as_ref().map(|parent| {
            let opened = Self::open(&parent.dir, &parent.key);
            match opened.map_err(|reason| format!("its parent: {reason}"))? {
                opened if opened.manifest.id == parent.id => Ok(Box::new(opened)),
                _ => Err("its parent was made again".to_owned()),
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

    /// Checks that the files are unchanged.
    ///
    /// # Errors
    /// Why it can't be used any more.
    pub(crate) fn check(&self) -> Result<(), String> {
        let manifest = self.dir.join(MANIFEST);
        if !manifest.exists() {
            return Err(format!("{} is gone", manifest.display()));
        }
        self.manifest.check_files(&self.dir)?;
        self.parent.as_ref().map_or(Ok(()), |parent| parent.check())
    }

    /// Records that a machine could not continue from it.
    pub(crate) fn failed(&self, error: &Error) {
        match error.kind() {
            // It can't be loaded; a new one may be.
            ErrorKind::Template { .. } => self.invalidate(),
            // Its guest can't take another identity, nor could that of a new one; unless a
            // signal ended the command.
            ErrorKind::CommandFailed {
                exit: Exit::Status(status),
                ..
            } if *status < 128 => self.set_unsupported(format!(
                "its guest can't take another identity: the command for it failed with exit code {status}"
            )),
            _ => {}
        }
    }

    /// Records that such a machine can't be cloned, unless the state was replaced.
    fn set_unsupported(&self, reason: String) {
        let there = Manifest::read(&self.dir);
        if there.is_ok_and(|there| there.id == self.manifest.id) {
            let manifest = Manifest {
                unsupported_reason: Some(reason),
                ..self.manifest.clone()
            };
            if let Err(error) = manifest.write() {
                tracing::warn!("can't write to {}: {error}", self.dir.display());
            }
        }
    }

    /// Why such a machine can't be cloned, as far as is known now.
    pub(crate) fn unsupported_reason(&self) -> Option<String> {
        let now = Manifest::read(&self.dir);
        now.ok().and_then(|manifest| manifest.unsupported_reason)
    }

    /// Prevents any further use.
    pub(crate) fn invalidate(&self) {
        let manifest = self.dir.join(MANIFEST);
        if let Err(error) = remove_file_if_exists(&manifest) {
            tracing::warn!("can't remove {}: {error}", manifest.display());
        }
    }

    /// Syncs the files in `dir` to the disk, then writes their manifest: a state without
    /// one is never used.
    pub(crate) fn finalize(
        dir: &Path,
        key: &str,
        parent: Option<&SavedState>,
        saved: Result<SavedVm, String>,
    ) -> io::Result<()> {
        let (vm, unsupported_reason) = match saved {
            Ok(vm) => (Some(vm), None),
            Err(reason) => (None, Some(reason)),
        };
        let names = vm.as_ref().map_or_else(Vec::new, SavedVm::files);
        for name in &names {
            File::open(dir.join(name))?.sync_all()?;
        }
        let stamps = names.iter().map(|name| FileStamp::of(dir, name));
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
            unsupported_reason,
            vm,
            files: stamps.collect::<io::Result<_>>()?,
        };
        manifest.write()
    }
}

impl SavedVm {
    /// The names of its files.
    fn files(&self) -> Vec<String> {
        let common = [RAM, STATE, CONSOLE_LOG].map(str::to_owned);
        common.into_iter().chain(self.disk_files()).collect()
    }

    /// The names of its disks' files.
    fn disk_files(&self) -> impl Iterator<Item = String> {
        let disks = self.disks.iter();
        disks.flat_map(|disk| [base_name(&disk.name), overlay_name(&disk.name)])
    }
}

impl Manifest {
    /// Checks that the files in `dir` are unchanged.
    fn check_files(&self, dir: &Path) -> Result<(), String> {
        for stamp in &self.files {
            match FileStamp::of(dir, &stamp.name) {
                Ok(now) if now == *stamp => {}
                Ok(_) => return Err(format!("{} has been changed", stamp.name)),
                Err(error) => return Err(format!("{}: {error}", stamp.name)),
            }
        }
        Ok(())
    }

    fn read(dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(dir.join(MANIFEST))?)?)
    }

    /// Writes it to its directory atomically.
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

/// The file name of a saved disk.
pub(crate) fn base_name(disk: &str) -> String {
    format!("disk-{disk}")
}

/// The file name of an empty overlay on it, which each clone copies.
pub(crate) fn overlay_name(disk: &str) -> String {
    format!("overlay-{disk}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_state_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let [made, moved] = ["made", "moved"].map(|name| cache.path().join(name));
        fs::create_dir(&made).unwrap();
        SavedState::finalize(&made, "key", None, Err("a reason".to_owned())).unwrap();
        SavedState::open(&made, "key").unwrap();
        fs::rename(&made, &moved).unwrap();
        let reason = SavedState::open(&moved, "key").unwrap_err();
        assert!(reason.contains("made at"), "{reason}");
    }
}
