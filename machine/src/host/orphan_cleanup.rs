//! What a process leaves that was killed is removed by one that outlives it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits until our end of its standard input closes. A QEMU that is being killed at the
/// same time may still make files: so it tries again, for five seconds.
const SCRIPT: &str = r#"
    read -r _
    for try in 1 2 3 4 5 6 7 8 9 10; do
        # A guest may have made directories that nobody may enter.
        rm -rf -- "$1" 2>/dev/null || { chmod -R u+rwX -- "$1"; rm -rf -- "$1"; } && exit
        sleep 0.5
    done
    exit 1
"#;

/// Removes a directory if this process ends without having dropped it, be it by SIGKILL.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        Self::start(dir, Stdio::null())
    }

    /// The same, of a directory that is locked by `lock`: nobody else is to take it before
    /// it is gone.
    pub(crate) fn of_locked(dir: &Path, lock: &File) -> io::Result<Self> {
        // The lock is let go when nobody has the file open any more.
        Self::start(dir, lock.try_clone()?.into())
    }

    fn start(dir: &Path, stdout: Stdio) -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "vm-janitor"])
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::null())
            // What is sent to our process group is not meant for it.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }

    /// Has the directory removed now.
    pub(crate) fn clean(&mut self) {
        drop(self.0.stdin.take());
        match self.0.wait() {
            Ok(status) if status.success() => {}
            outcome => tracing::warn!(?outcome, "a janitor could not remove its directory"),
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        if let Err(error) = ended {
            tracing::warn!(%error, "a janitor would not go");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn removes_what_it_is_left_with_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["-left with", "kept"].map(|name| dir.path().join(name));
        for path in &paths {
            fs::create_dir(path).unwrap();
            fs::write(path.join("file"), "").unwrap();
        }
        let locked = fs::Permissions::from_mode(0o000);
        fs::set_permissions(&paths[0], locked).unwrap();
        let mut left = Janitor::of(&paths[0]).unwrap();
        let kept = Janitor::of(&paths[1]).unwrap();
        left.clean(); // as this process's end would have it
        drop(kept);
        assert!(!paths[0].exists());
        assert!(paths[1].join("file").exists());
    }

    #[test]
    fn what_is_locked_stays_so_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::create_dir(&path).unwrap();
        let lock = File::open(&path).unwrap();
        lock.lock().unwrap();
        let mut janitor = Janitor::of_locked(&path, &lock).unwrap();
        drop(lock); // as this process's end does
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err());
        janitor.clean();
        other.try_lock().unwrap();
        assert!(!path.exists());
    }
}
