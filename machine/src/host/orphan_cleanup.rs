//! Cleanup after this process, even if it is killed: by a helper process that outlives it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const REMOVE_CGROUPS: &str = include_str!("orphan_cleanup/remove_cgroups.sh");
const REMOVE_DIR: &str = include_str!("orphan_cleanup/remove_dir.sh");
const RESTORE_TERMINAL: &str = include_str!("orphan_cleanup/restore_terminal.sh");

/// A shell script that runs when this process ends for any reason, including SIGKILL.
///
/// The script's process waits until its standard input closes. Dropping this value cancels
/// the cleanup.
#[derive(Debug)]
pub(crate) struct OrphanCleanup(Child);

impl OrphanCleanup {
    /// Removes a directory, which need not exist yet.
    pub(crate) fn remove_dir(dir: &Path) -> io::Result<Self> {
        Self::start(REMOVE_DIR, [dir], Stdio::null())
    }

    /// Removes control groups, which have no more processes soon.
    pub(crate) fn remove_cgroups(dirs: &[PathBuf]) -> io::Result<Self> {
        Self::start(REMOVE_CGROUPS, dirs, Stdio::null())
    }

    /// Removes a directory and holds `lock` until it is removed.
    pub(crate) fn remove_locked_dir(dir: &Path, lock: &File) -> io::Result<Self> {
        Self::start(REMOVE_DIR, [dir], lock.try_clone()?.into())
    }

    /// Restores the current mode of a terminal.
    pub(crate) fn restore_terminal(terminal: &Path) -> io::Result<Self> {
        let mut cleanup = Self::start(RESTORE_TERMINAL, [terminal], Stdio::piped())?;
        if let Some(mut output) = cleanup.0.stdout.take() {
            // The caller changes the mode next, so it has to be saved first.
            output.read_exact(&mut [0])?;
        }
        Ok(cleanup)
    }

    fn start(
        script: &str,
        paths: impl IntoIterator<Item = impl AsRef<OsStr>>,
        stdout: Stdio,
    ) -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", script, "vm-orphan-cleanup"])
            .args(paths)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::null())
            // Not signalled together with our process group.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }

    /// Runs the cleanup now and waits for it.
    pub(crate) fn run(&mut self) {
        drop(self.0.stdin.take());
        match self.0.wait() {
            Ok(status) if status.success() => {}
            outcome => tracing::warn!(?outcome, "a cleanup process failed"),
        }
    }
}

impl Drop for OrphanCleanup {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        if let Err(error) = ended {
            tracing::warn!(%error, "could not stop a cleanup process");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn removes_its_directory_unless_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["-removed", "kept"].map(|name| dir.path().join(name));
        for path in &paths {
            fs::create_dir(path).unwrap();
            fs::write(path.join("file"), "").unwrap();
        }
        let no_permissions = fs::Permissions::from_mode(0o000);
        fs::set_permissions(&paths[0], no_permissions).unwrap();
        let mut run = OrphanCleanup::remove_dir(&paths[0]).unwrap();
        let dropped = OrphanCleanup::remove_dir(&paths[1]).unwrap();
        run.run(); // as at the end of this process
        drop(dropped);
        assert!(!paths[0].exists());
        assert!(paths[1].join("file").exists());
    }

    #[test]
    fn nested_groups_are_removed_and_nothing_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a group", "b"].map(|name| dir.path().join(name));
        fs::create_dir_all(paths[0].join("inner/innermost")).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        let mut cleanup = OrphanCleanup::remove_cgroups(&paths).unwrap();
        cleanup.run();
        assert!(!paths[0].exists());
        assert!(dir.path().join("other").exists());
    }

    /// Its working directory would be searched.
    #[test]
    fn without_groups_nothing_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", REMOVE_CGROUPS]).stdin(Stdio::null());
        assert!(shell.current_dir(dir.path()).status().unwrap().success());
        assert!(dir.path().join("other").exists());
    }

    #[test]
    fn a_lock_is_held_until_the_directory_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::create_dir(&path).unwrap();
        let lock = File::open(&path).unwrap();
        lock.lock().unwrap();
        let mut cleanup = OrphanCleanup::remove_locked_dir(&path, &lock).unwrap();
        drop(lock); // as at the end of this process
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err());
        cleanup.run();
        other.try_lock().unwrap();
        assert!(!path.exists());
    }
}
