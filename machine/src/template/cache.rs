//! The cache of templates.
//!
//! `CACHE/NAME-KEY.ID/` holds a template. Once it has a manifest it is not changed, except
//! for a note that it can't be used. `CACHE/NAME-KEY` is a symbolic link to the one to use,
//! which is replaced atomically; machines that use the old one keep it. A process that
//! makes a template holds a lock on `NAME-KEY.lock`; one that uses it holds a lock on its
//! directory.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tokio::sync::oneshot;

use crate::host::files::remove_file_if_exists;
use crate::host::guest_tree::{self, Task};
use crate::instance::saved_state::SavedState;

/// How many characters of the key are in a name.
const NAMED: usize = 16;

/// The length of an ID.
const ID: usize = 12;

/// The entry of a template in the cache.
#[derive(Clone, Debug)]
pub(super) struct CacheEntry {
    cache: PathBuf,
    name: String,
    key: String,
}

/// Creates the cache directory if it is missing, and returns its path without symbolic links.
pub(super) fn dir(cache: &Path) -> io::Result<PathBuf> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(cache)?;
    let cache = cache.canonicalize()?;
    let metadata = fs::metadata(&cache)?;
    // A user who can replace it could make machines run anything.
    let (dir, uid) = (cache.display(), metadata.uid());
    if uid != geteuid().as_raw() {
        let reason = format!("{dir} belongs to the user {uid}; choose another directory");
        return Err(io::Error::other(reason));
    }
    if metadata.mode() & 0o002 != 0 {
        let reason =
            format!("{dir} is world-writable; run `chmod o-w {dir}` or choose another directory");
        return Err(io::Error::other(reason));
    }
    Ok(cache)
}

impl CacheEntry {
    /// The entry in `cache`, which is a path by [`dir`].
    pub(super) fn new(cache: PathBuf, machine: &str, key: String) -> Self {
        Self {
            cache,
            name: format!("{machine}-{}", &key[..NAMED]),
            key,
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Opens the template, if there is one.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(super) fn open(&self) -> Result<Option<SavedState>, String> {
        match fs::read_link(self.link()) {
            Ok(dir) => SavedState::open(&self.cache.join(dir), &self.key).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The same, after adapting a template that was moved. The caller holds the lock.
    pub(super) async fn open_moved(&self) -> Result<Option<SavedState>, String> {
        if let Ok(dir) = fs::read_link(self.link()) {
            SavedState::adapt(&self.cache.join(dir), &self.key).await?;
        }
        self.open()
    }

    /// Waits until no other process makes this template, however long that takes. Dropping
    /// the file releases the lock.
    pub(super) async fn lock(&self) -> io::Result<File> {
        let file = lock_file(&self.cache, &self.name)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                tracing::info!(
                    "waiting for another process to make the template {}",
                    self.name
                );
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Not on a thread of the runtime, which would wait for it on shutdown.
        let (locked, lock) = oneshot::channel();
        let wait = move || locked.send(file.lock().map(|()| file));
        std::thread::Builder::new().spawn(wait)?;
        lock.await.map_err(io::Error::other)?
    }

    /// Creates an empty directory to make it in, after removing abandoned ones.
    pub(super) fn staging_dir(&self) -> io::Result<StagingDir> {
        for (name, dir) in made(&self.cache)? {
            if let Err(error) = self.clean_up(&name, &dir) {
                tracing::warn!("can't remove {}: {error}", dir.display());
            }
        }
        let dir = tempfile::Builder::new()
            .prefix(&format!("{}.", self.name))
            .rand_bytes(ID)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.cache)?;
        Ok(StagingDir {
            dir: dir.keep(),
            is_published: false,
        })
    }

    fn clean_up(&self, name: &str, dir: &Path) -> io::Result<()> {
        if name == self.name {
            return remove_unused(&self.cache, name, dir);
        }
        match try_lock(&self.cache, name)? {
            Some(_lock) => remove_unused(&self.cache, name, dir),
            None => Ok(()),
        }
    }

    /// Makes a complete template the one to use.
    pub(super) fn publish(&self, mut made: StagingDir) -> io::Result<()> {
        let name = made.path().file_name().unwrap_or_default();
        let link = self.cache.join(format!(".{}", self.name));
        remove_file_if_exists(&link)?;
        symlink(name, &link)?;
        fs::rename(&link, self.link())?;
        made.is_published = true;
        File::open(&self.cache)?.sync_all()
    }

    fn link(&self) -> PathBuf {
        self.cache.join(&self.name)
    }
}

/// A directory that is removed with this value, unless it was published.
#[derive(Debug)]
pub(super) struct StagingDir {
    dir: PathBuf,
    is_published: bool,
}

impl StagingDir {
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        if !self.is_published
            && let Err(error) = remove(&self.dir)
        {
            tracing::warn!("can't remove {}: {error}", self.dir.display());
        }
    }
}

/// Removes all templates that no machine uses; as many as possible if some can't be
/// removed.
pub(super) fn clear(cache: &Path) -> io::Result<()> {
    if !cache.exists() {
        return Ok(());
    }
    let mut cleared = Ok(());
    for (name, dir) in made(cache)? {
        let removed = clear_one(cache, &name, &dir)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", dir.display())));
        cleared = cleared.and(removed);
    }
    cleared
}

fn clear_one(cache: &Path, name: &str, dir: &Path) -> io::Result<()> {
    if let Some(_lock) = try_lock(cache, name)? {
        let _ = fs::remove_file(cache.join(name));
        remove_unused(cache, name, dir)?;
    }
    Ok(())
}

/// Removes a directory with contents that a guest may have chosen.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    guest_tree::remove(dir, &Task::default())
}

/// The directories of templates, complete or not, with the templates' names. Everything
/// else in the cache directory is left alone.
fn made(cache: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut made = Vec::new();
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let file = entry.file_name();
        if let Some(name) = file.to_str().and_then(template_of)
            && entry.file_type()?.is_dir()
        {
            made.push((name.to_owned(), entry.path()));
        }
    }
    Ok(made)
}

/// NAME-KEY of NAME-KEY.ID.
fn template_of(dir: &str) -> Option<&str> {
    let (name, id) = dir.rsplit_once('.')?;
    let (_, key) = name.rsplit_once('-')?;
    let is_id = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_key = key.len() == NAMED && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && is_key).then_some(name)
}

/// Removes a directory of the template `name`, whose lock this process holds, unless it
/// is the one to use, or in use.
fn remove_unused(cache: &Path, name: &str, dir: &Path) -> io::Result<()> {
    let current = fs::read_link(cache.join(name)).is_ok_and(|current| dir.ends_with(current));
    if current {
        return Ok(());
    }
    let lock = match File::open(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    match lock.try_lock() {
        Ok(()) => remove(dir),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks a template that no process makes.
fn try_lock(cache: &Path, name: &str) -> io::Result<Option<File>> {
    let file = lock_file(cache, name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lock_file(cache: &Path, name: &str) -> io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(cache.join(format!("{name}.lock")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::guest_tree::tests::deep_tree;

    fn entry(cache: &Path, machine: &str) -> CacheEntry {
        CacheEntry::new(dir(cache).unwrap(), machine, "0".repeat(64))
    }

    #[test]
    fn only_templates_are_removed() {
        let cache = tempfile::tempdir().unwrap();
        let foreign = [
            "src",
            ".git",
            "machine-0123456789abcdef",
            "v1.2",
            "a-b.abcdefghijkl",
        ];
        let left = "machine-0123456789abcdef.abcdefghijkl";
        for dir in foreign.iter().chain([&left]) {
            fs::create_dir_all(cache.path().join(dir).join("files")).unwrap();
        }
        let entry = entry(cache.path(), "other");
        drop(entry.staging_dir().unwrap());
        clear(cache.path()).unwrap();
        assert!(!cache.path().join(left).exists());
        let mut names = Vec::new();
        for entry in fs::read_dir(cache.path()).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
        for dir in foreign {
            assert!(names.iter().any(|name| name == dir), "{dir} of {names:?}");
        }
        // Only templates have locks.
        assert_eq!(names.len(), foreign.len() + 1, "{names:?}");
    }

    #[test]
    fn any_tree_of_a_guest_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let entry = entry(cache.path(), "vm");
        let left = cache.path().join("vm-0000000000000000.abcdefghijkl");
        let made = entry.staging_dir().unwrap();
        let made_at = made.path().to_owned();
        for dir in [&left, &made_at] {
            fs::create_dir_all(dir).unwrap();
            deep_tree(dir, "deep");
            fs::create_dir(dir.join("locked")).unwrap();
            fs::set_permissions(dir.join("locked"), Permissions::from_mode(0o000)).unwrap();
        }
        drop(made);
        assert!(!made_at.exists());
        drop(entry.staging_dir().unwrap());
        assert!(!left.exists());
    }

    #[test]
    fn a_world_writable_directory_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        fs::set_permissions(cache.path(), Permissions::from_mode(0o777)).unwrap();
        let error = dir(cache.path()).unwrap_err();
        assert!(error.to_string().contains("is world-writable"), "{error}");
    }
}
