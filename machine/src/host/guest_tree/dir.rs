//! A directory of the guest, in which no path leads out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, mkdirat, open, openat2};

use super::Task;

/// A directory that a guest may change at any time.
pub(super) struct GuestDir<'a> {
    dir: OwnedFd,
    pub(super) task: &'a Task,
}

impl<'a> GuestDir<'a> {
    /// The guest can't change `path`, except that its last component may be a link.
    pub(super) fn open(path: &Path, task: &'a Task) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty())?;
        Ok(Self { dir, task })
    }

    fn open_beneath(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        // All operations on the directory come here.
        self.task.check_cancelled()?;
        Ok(openat2(&self.dir, path, flags, mode, resolve)?)
    }

    /// The file at `path`, not opened for reading.
    pub(super) fn open_path(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::PATH, Mode::empty())
    }

    /// Calls `act` with each name in a directory.
    pub(super) fn for_each_name(
        &self,
        path: &Path,
        mut act: impl FnMut(&OsStr) -> io::Result<()>,
    ) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let dir = self.open_beneath(path, flags, Mode::empty())?;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                act(OsStr::from_bytes(name))?;
            }
        }
        Ok(())
    }

    /// Creates a new file.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(self.open_beneath(path, flags, mode)?.into())
    }

    /// Creates a new directory.
    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
                let parent = self.open_beneath(parent, flags, Mode::empty())?;
                mkdirat(parent, name, Mode::RWXU)?;
            }
            _ => mkdirat(&self.dir, path, Mode::RWXU)?,
        }
        Ok(())
    }
}
