//! The guest's directory, in which nothing leads elsewhere.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, mkdirat, open, openat2};

use super::Task;

/// A directory in which a guest may do as it likes, until it is given up.
pub(super) struct GuestDir<'a> {
    dir: OwnedFd,
    pub(super) task: &'a Task,
}

impl<'a> GuestDir<'a> {
    /// `path` is ours, but its last component may have become a link.
    pub(super) fn open(path: &Path, task: &'a Task) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty())?;
        Ok(Self { dir, task })
    }

    fn open_beneath(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        // Nothing is done here without it.
        self.task.goes_on()?;
        Ok(openat2(&self.dir, path, flags, mode, resolve)?)
    }

    /// What is at `path`, not opened.
    pub(super) fn look(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::PATH, Mode::empty())
    }

    /// Does something with each name in a directory.
    pub(super) fn each(
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

    /// A new file.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(self.open_beneath(path, flags, mode)?.into())
    }

    /// A new directory.
    pub(super) fn make_dir(&self, path: &Path) -> io::Result<()> {
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
