//! A guest's root as a directory of the host.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// A directory in which links are resolved as in the guest, whose root it is.
#[derive(Debug)]
pub(crate) struct RootDir(File);

impl RootDir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let dir = File::open(path)?;
        if !dir.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(dir))
    }

    /// Whether the guest has a file at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat2(&self.0, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).is_ok()
    }

    /// Opens one of the guest's regular files.
    pub(crate) fn file(&self, path: &str) -> io::Result<File> {
        // Not blocked by a pipe.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat2(&self.0, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
        let file = File::from(file);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_but_into_the_root() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        symlink("/usr/bin", dir.path().join("bin")).unwrap();
        symlink("/bin/dash", dir.path().join("usr/bin/sh")).unwrap();
        let root = RootDir::open(dir.path()).unwrap();
        assert!(!root.has("bin/sh"));
        fs::write(dir.path().join("usr/bin/dash"), "").unwrap();
        assert!(root.has("bin/sh"));
        assert!(root.file("bin/sh").is_ok());
        assert!(root.file("bin").is_err());
        assert!(RootDir::open(&dir.path().join("usr/bin/dash")).is_err());
    }
}
