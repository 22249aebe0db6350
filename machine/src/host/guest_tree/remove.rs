//! Removes what a guest has made, however deep it is and whatever its modes are.
//!
//! `std::fs::remove_dir_all` opens a file and takes some stack for each level, and a
//! guest makes as many as it likes. Here what is in a directory is moved up until
//! nothing has any depth.

use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::Task;

/// Removes the directory `path` with all in it, unless the task is given up. A link at its
/// place is removed, not followed; if there is nothing, that is well.
pub(crate) fn remove(path: &Path, task: &Task) -> io::Result<()> {
    match open(path, AS_DIRECTORY, Mode::empty()) {
        Ok(top) => {
            let mut top = Top::new(&top, task)?;
            while top.remove_a_level()? {}
            fs::remove_dir(path)
        }
        Err(Errno::NOENT) => Ok(()),
        Err(_) => fs::remove_file(path),
    }
}

/// Not opened for reading, which its mode may forbid.
const AS_DIRECTORY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The directory into which all others are moved.
struct Top<'a> {
    dir: OwnedFd,
    /// How many were, for their names.
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

    /// Removes all files, and the directories with what is in them moved up. Tells
    /// whether there is still something.
    fn remove_a_level(&mut self) -> io::Result<bool> {
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
        self.task.goes_on()?;
        if is_removed(unlinkat(&self.dir, name, AtFlags::empty()))? {
            return Ok(());
        }
        let dir = match openat(&self.dir, name, AS_DIRECTORY, Mode::empty()) {
            // Somebody else removes it, too.
            Err(Errno::NOENT) => return Ok(()),
            opened => readable(&opened?)?,
        };
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let inner = entry.file_name();
            self.task.goes_on()?;
            if is_name(inner) && !is_removed(unlinkat(&dir, inner, AtFlags::empty()))? {
                self.move_up(&dir, inner)?;
            }
        }
        match unlinkat(&self.dir, name, AtFlags::REMOVEDIR) {
            // Entries that were passed over while others went: the next time.
            Err(Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    fn move_up(&mut self, from: impl AsFd, name: &CStr) -> io::Result<()> {
        // Its `..` is written to, which its mode may forbid.
        match openat(&from, name, AS_DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            opened => readable(&opened?)?,
        };
        loop {
            self.moved += 1;
            match renameat(&from, name, &self.dir, format!(".moved-{}", self.moved)) {
                // The guest has one of that name with something in it, or a file.
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

/// Whether it is gone; not, if it is a directory.
fn is_removed(unlinked: rustix::io::Result<()>) -> io::Result<bool> {
    match unlinked {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The same directory, opened for reading, and its owner's to change.
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
    fn a_tree_of_any_depth_width_and_mode() {
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
    fn it_can_be_given_up() {
        let world = tempfile::tempdir().unwrap();
        let dir = world.path().join("guest");
        fs::create_dir_all(dir.join("sub")).unwrap();
        let task = Task::default();
        task.given_up().cancel();
        super::remove(&dir, &task).unwrap_err();
        assert!(dir.join("sub").exists());
    }
}
