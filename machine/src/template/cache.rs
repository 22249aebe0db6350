//! Where templates are kept.
//!
//! `CACHE/NAME-KEY/` holds one, complete or not there at all: it is made elsewhere in
//! `CACHE` and moved there by a rename. `NAME-KEY.lock` is held by who makes it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::saved::{MANIFEST, Saved};

/// How much of a key is in a name: enough to be the only one.
const NAMED: usize = 16;

/// A template's place.
pub(super) struct Place {
    cache: PathBuf,
    name: String,
    key: String,
}

impl Place {
    pub(super) fn new(cache: &Path, machine: &str, key: String) -> io::Result<Self> {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(cache)?;
        Ok(Self {
            cache: cache.canonicalize()?,
            name: format!("{machine}-{}", &key[..NAMED]),
            key,
        })
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    /// What is there, unless it is damaged.
    pub(super) fn open(&self) -> Option<Saved> {
        let dir = self.dir();
        match Saved::open(&dir, &self.key) {
            Ok(saved) => Some(saved),
            Err(reason) => {
                if dir.exists() {
                    tracing::warn!("the template {} is made anew: {reason}", dir.display());
                }
                None
            }
        }
    }

    /// Waits until nobody else makes this template. The lock goes with the file.
    pub(super) fn lock(&self) -> io::Result<File> {
        let path = self.cache.join(format!("{}.lock", self.name));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// An empty directory to make it in, once what was left there by others is gone.
    pub(super) fn workshop(&self) -> io::Result<TempDir> {
        let prefix = format!(".{}.", self.name);
        for entry in fs::read_dir(&self.cache)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.cache)
    }

    /// Moves what is complete where it is found.
    pub(super) fn keep(&self, made: TempDir) -> io::Result<()> {
        let dir = self.dir();
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(made.path(), &dir)?;
        // There is nothing left to remove.
        let _ = made.keep();
        Ok(())
    }
}

/// Sees to it that a template is not used again.
pub(super) fn spoil(dir: &Path) {
    let manifest = dir.join(MANIFEST);
    if let Err(error) = fs::remove_file(&manifest) {
        tracing::warn!("can't remove {}: {error}", manifest.display());
    }
}
