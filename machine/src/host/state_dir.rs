//! A machine's directories on the host, accessible only to their owner.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::error::ErrorKind;
use crate::host::files::at;
use crate::host::guest_tree::{self, Task};
use crate::host::orphan_cleanup::OrphanCleanup;
use crate::host::sockets::{SocketDir, Sockets};
use crate::host::tmp_dir::TmpDir;

/// Where a machine keeps its state: disk, sockets, console log.
///
/// It is `TMP/vm-state-NAME`, locked against a second driver. It is removed on drop, or when
/// this process is killed, unless the state is kept. `copies` in it is shared with this
/// machine's guest alone. `TMP/shared-xchg/shared-xchg` is shared with the guests of all
/// machines in `TMP`, and removed with `TMP`. Sockets are in the state directory, or in a
/// directory of their own if its path is too long for them.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    shared: PathBuf,
    copies: PathBuf,
    sockets: SocketDir,
    keep: bool,
    /// Holds the lock on the directory.
    lock: File,
    /// Removes `TMP` itself if it was created for this machine.
    _own_tmp: Option<TmpDir>,
    /// Removes the state if this process is killed, unless it is kept. Dropped last.
    _orphan_cleanup: Option<OrphanCleanup>,
}

impl StateDir {
    /// Whether the state is shared with earlier and later machines of this name.
    pub(crate) fn is_kept(&self) -> bool {
        self.keep
    }

    /// Creates the directories, empty unless the state is kept. Without `tmp`, they are in a
    /// new directory in the system's temporary one.
    pub(crate) fn create(tmp: Option<&Path>, name: &str, keep: bool) -> Result<Self, ErrorKind> {
        if !is_name(name) {
            return Err(ErrorKind::Name {
                name: name.to_owned(),
            });
        }
        let (tmp, own_tmp) = match tmp {
            Some(tmp) => (absolute(tmp)?, None),
            None => own_tmp(keep)?,
        };
        let path = tmp.join(format!("vm-state-{name}"));
        let private = tmp.join("shared-xchg");
        let sockets = SocketDir::of(&path)?;

        make_private(&private)?;
        // A guest can give all users access to what is shared with it, but not to its parent.
        let shared = absolute(&private.join("shared-xchg"))?;
        let lock = make_locked(&path)?;
        if !keep {
            clear(&path).map_err(at(&path))?;
        }
        // Even if the state is kept, copies are not.
        let copies = path.join("copies");
        guest_tree::remove(&copies, &Task::default()).map_err(at(&copies))?;
        make_private(&copies)?;
        let orphan_cleanup = match own_tmp {
            None if !keep => {
                Some(OrphanCleanup::remove_locked_dir(&path, &lock).map_err(at(&path))?)
            }
            _ => None,
        };
        Ok(Self {
            path,
            shared,
            copies,
            sockets,
            keep,
            lock,
            _own_tmp: own_tmp,
            _orphan_cleanup: orphan_cleanup,
        })
    }

    /// The state directory itself, in which QEMU is started.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory shared with the guests of all machines in the same directory.
    pub(crate) fn shared(&self) -> &Path {
        &self.shared
    }

    /// The directory shared with this machine's guest alone, for files on their way to and
    /// from it.
    pub(crate) fn copies(&self) -> &Path {
        &self.copies
    }

    pub(crate) fn sockets(&self) -> Sockets {
        Sockets::in_dir(self.sockets.path().unwrap_or(&self.path))
    }

    pub(crate) fn console_log(&self) -> PathBuf {
        self.path.join("console.log")
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let path = if self.keep { &self.copies } else { &self.path };
        // The guest may have left directories of any depth and mode.
        if let Err(error) = guest_tree::remove(path, &Task::default()) {
            tracing::warn!(path = %path.display(), %error, "could not remove a machine's files");
        }
        // A process that another thread has just forked may still have the descriptor.
        let _ = self.lock.unlock();
    }
}

/// Whether a directory, a list of options and a variable can carry the name.
fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    !name.starts_with(['-', '.']) && !name.is_empty() && name.chars().all(is_part)
}

fn own_tmp(keep: bool) -> Result<(PathBuf, Option<TmpDir>), ErrorKind> {
    if keep {
        // The next machine of this name looks there.
        return Ok((absolute(&std::env::temp_dir())?, None));
    }
    let dir = TmpDir::new().map_err(at(&std::env::temp_dir()))?;
    Ok((absolute(dir.path())?, Some(dir)))
}

pub(crate) fn absolute(tmp: &Path) -> Result<PathBuf, ErrorKind> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(tmp)
        .map_err(at(tmp))?;
    tmp.canonicalize().map_err(at(tmp))
}

/// Creates `dir`, or uses an existing one if this user owns it and it is no link: other
/// users may be able to write to its parent.
fn make_private(dir: &Path) -> Result<File, ErrorKind> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(dir)(error)),
        _ => {}
    }
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let opened = File::options()
        .read(true)
        .custom_flags(flags)
        .open(dir)
        .map_err(at(dir))?;
    let user = rustix::process::geteuid().as_raw();
    if opened.metadata().map_err(at(dir))?.uid() != user {
        let error = io::Error::new(io::ErrorKind::PermissionDenied, "owned by another user");
        return Err(at(dir)(error));
    }
    opened
        .set_permissions(Permissions::from_mode(0o700))
        .map_err(at(dir))?;
    Ok(opened)
}

/// Creates and locks `dir`, so that no second driver uses it.
fn make_locked(dir: &Path) -> Result<File, ErrorKind> {
    loop {
        let lock = make_private(dir)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ErrorKind::StateDirInUse {
                    path: dir.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(at(dir)(error)),
        }
        // Its last user may have removed it just before it was locked.
        let locked = lock.metadata().map_err(at(dir))?;
        if dir
            .metadata()
            .is_ok_and(|there| there.ino() == locked.ino())
        {
            return Ok(lock);
        }
    }
}

fn clear(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            guest_tree::remove(&entry.path(), &Task::default())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_private_and_removed() {
        let state = StateDir::create(None, "vm", false).unwrap();
        let path = state.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let shared = state.shared().parent().unwrap();
        assert_eq!(
            shared.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        let tmp = path.parent().unwrap().to_owned();
        drop(state);
        assert!(!tmp.exists());
    }

    #[test]
    fn kept_state_is_found_again_and_other_state_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let create = |keep| StateDir::create(Some(tmp.path()), "vm", keep).unwrap();
        let disk = create(true).path().join("vm.qcow2");
        fs::write(&disk, "data").unwrap();
        drop(create(true));
        assert!(disk.exists());
        let _fresh = create(false);
        assert!(!disk.exists());
    }

    #[test]
    fn what_a_guest_has_left_is_cleared() {
        let tmp = tempfile::tempdir().unwrap();
        let [outside, state] = ["outside", "state"].map(|name| tmp.path().join(name));
        let closed = state.join("layers/closed");
        fs::write(&outside, "data").unwrap();
        fs::create_dir_all(closed.join("inner")).unwrap();
        std::os::unix::fs::symlink(&outside, state.join("layers/link")).unwrap();
        std::os::unix::fs::symlink(tmp.path(), state.join("link")).unwrap();
        fs::set_permissions(closed, Permissions::from_mode(0o000)).unwrap();
        clear(&state).unwrap();
        assert_eq!(fs::read_dir(state).unwrap().count(), 0);
        assert!(outside.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let tmp = tempfile::tempdir().unwrap();
        let precious = tmp.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "data").unwrap();
        std::os::unix::fs::symlink(&precious, tmp.path().join("vm-state-vm")).unwrap();
        let error = StateDir::create(Some(tmp.path()), "vm", false).unwrap_err();
        assert!(matches!(error, ErrorKind::StateDir { .. }), "{error}");
        assert!(precious.join("file").exists());
    }

    #[test]
    fn copies_are_removed_even_if_the_state_is_kept() {
        let tmp = tempfile::tempdir().unwrap();
        let create = || StateDir::create(Some(tmp.path()), "vm", true).unwrap();
        let state = create();
        let [left, kept] = [state.copies(), state.shared()].map(|dir| dir.join("some/copy"));
        let copies = state.copies().to_owned();
        for dir in [&left, &kept] {
            fs::create_dir_all(dir).unwrap();
        }
        drop(state);
        assert!(!copies.exists() && kept.exists());
        // As after the death of the process.
        fs::create_dir_all(&left).unwrap();
        let state = create();
        assert_eq!(fs::read_dir(state.copies()).unwrap().count(), 0);
    }

    #[test]
    fn a_second_driver_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let _first = StateDir::create(Some(tmp.path()), "vm", false).unwrap();
        let second = StateDir::create(Some(tmp.path()), "vm", false);
        assert!(
            matches!(second, Err(ErrorKind::StateDirInUse { .. })),
            "{second:?}"
        );
        StateDir::create(Some(tmp.path()), "other", false).unwrap();
    }

    #[test]
    fn sockets_of_a_long_path_are_elsewhere() {
        let tmp = tempfile::tempdir().unwrap();
        let deep = tmp.path().join("d".repeat(90));
        let state = StateDir::create(Some(&deep), "vm", false).unwrap();
        let socket = state.sockets().shell_port;
        std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let dir = socket.parent().unwrap().to_owned();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(state);
        assert!(!dir.exists());

        let shallow = StateDir::create(Some(tmp.path()), "vm", false).unwrap();
        assert_eq!(shallow.sockets().shell_port.parent(), Some(shallow.path()));
    }

    #[test]
    fn names_do_not_lead_elsewhere() {
        for name in [
            "", ".", "..", "../x", "a/b", "-rf", "<b>", "x y", "a,b", "a\nb", "$a", "nul\0",
        ] {
            let error = StateDir::create(None, name, false).unwrap_err();
            assert!(matches!(error, ErrorKind::Name { .. }), "{name}: {error}");
        }
        for name in ["a", "vm-1.example", "_x", "größe", "0"] {
            StateDir::create(None, name, false).unwrap();
        }
    }
}
