//! Removal of a tree that a guest created, of any depth and with any modes.
//!
//! `std::fs::remove_dir_all` needs an open file and stack space for each level, and a guest
//! can create any number of levels. Here nested directories are moved up to the top, level
//! by level.

use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::Task;

/// Removes the directory `path` with its contents, unless the task is cancelled. A link is
/// removed, not followed. Succeeds if nothing is there.
pub(crate) fn remove(path: &Path, task: &Task) -> io::Result<()> {
    match open(path, AS_DIRECTORY, Mode::empty()) {
        Ok(top) => {
            let mut top = Top::new(&top, task)?;
            while top.remove_level()? {}
            fs::remove_dir(path)
        }
        Err(Errno::NOENT) => Ok(()),
        Err(_) => fs::remove_file(path),
    }
}

/// Without opening it for reading, which its mode may forbid.
const AS_DIRECTORY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The directory into which all others are moved.
struct Top<'a> {
    dir: OwnedFd,
    /// The number of moved directories, used in their names.
    moved: u64,
    task: &'a Task,
}

impl<'a> Top<'a> {
    fn new(top: &OwnedFd, task: &'a Task) -> io::Result<Self> {
        Ok(Self {
            dir: readable(top)?,
            moved: 0,
            task,
        })
    }

    /// Removes all files and directories here; directories inside them are moved up.
    /// Returns whether there were any.
    fn remove_level(&mut self) -> io::Result<bool> {
        let mut found = false;
        for entry in Dir::read_from(&self.dir)? {
            let entry = entry?;
            if is_name(entry.file_name()) {
                found = true;
                self.remove_entry(entry.file_name())?;
            }
        }
        Ok(found)
    }

    fn remove_entry(&mut self, name: &CStr) -> io::Result<()> {
        self.task.check_cancelled()?;
        if is_removed(unlinkat(&self.dir, name, AtFlags::empty()))? {
            return Ok(());
        }
        let dir = match openat(&self.dir, name, AS_DIRECTORY, Mode::empty()) {
            // Another process removes the tree, too.
            Err(Errno::NOENT) => return Ok(()),
            opened => readable(&opened?)?,
        };
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let inner = entry.file_name();
            self.task.check_cancelled()?;
            if is_name(inner) && !is_removed(unlinkat(&dir, inner, AtFlags::empty()))? {
                self.move_up(&dir, inner)?;
            }
        }
        match unlinkat(&self.dir, name, AtFlags::REMOVEDIR) {
            // Entries that were skipped as others were removed are left to the next level.
            Err(Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    fn move_up(&mut self, from: impl AsFd, name: &CStr) -> io::Result<()> {
        // A move changes `..` in the directory, which its mode may forbid.
        match openat(&from, name, AS_DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            opened => readable(&opened?)?,
        };
        loop {
            self.moved += 1;
            match renameat(&from, name, &self.dir, format!(".moved-{}", self.moved)) {
                // The guest has a file or a directory of that name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(Errno::NOENT) => return Ok(()),
                moved => return Ok(moved?),
            }
        }
    }
}

fn is_name(name: &CStr) -> bool {
    !matches!(name.to_bytes(), b"." | b"..")
}

/// Whether the entry is removed; false if it is a directory.
fn is_removed(unlinked: rustix::io::Result<()>) -> io::Result<bool> {
    match unlinked {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens the same directory for reading, and lets its owner change it.
fn readable(dir: &OwnedFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    fs::set_permissions(&path, Permissions::from_mode(0o700))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tests::deep_tree;
    use super::*;

    fn remove(path: &Path) -> io::Result<()> {
        super::remove(path, &Task::default())
    }

    #[test]
    fn a_tree_of_any_depth_width_and_mode_is_removed() {
        let world = tempfile::tempdir().unwrap();
        let dir = world.path().join("guest");
        fs::create_dir_all(dir.join("locked/in/it")).unwrap();
        deep_tree(&dir, "deep");
        fs::create_dir(dir.join(".moved-1")).unwrap();
        fs::write(dir.join(".moved-1/file"), "").unwrap();
        fs::write(dir.join(".moved-2"), "").unwrap();
        for number in 0..1000 {
            fs::write(dir.join(format!("locked/in/{number}")), "").unwrap();
        }
        for locked in ["locked/in/it", "locked/in", "locked"] {
            fs::set_permissions(dir.join(locked), Permissions::from_mode(0o000)).unwrap();
        }
        remove(&dir).unwrap();
        assert!(!dir.exists());
        remove(&dir).unwrap();
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let world = tempfile::tempdir().unwrap();
        let [dir, kept] = ["guest", "kept"].map(|name| world.path().join(name));
        for dir in [&dir, &kept] {
            fs::create_dir(dir).unwrap();
        }
        fs::write(kept.join("file"), "").unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o755)).unwrap();
        symlink(&kept, dir.join("link")).unwrap();
        remove(&dir).unwrap();
        symlink(&kept, &dir).unwrap();
        remove(&dir).unwrap();
        assert!(!dir.is_symlink());
        assert!(kept.join("file").exists());
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_removal_can_be_cancelled() {
        let world = tempfile::tempdir().unwrap();
        let dir = world.path().join("guest");
        fs::create_dir_all(dir.join("sub")).unwrap();
        let task = Task::default();
        task.cancellation().cancel();
        super::remove(&dir, &task).unwrap_err();
        assert!(dir.join("sub").exists());
    }
}
