//! The user's directory for what can be made again, `$XDG_CACHE_HOME/vmwright`.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The user's directory for what can be made again, `$XDG_CACHE_HOME/vmwright`; none if the user
/// has no home directory.
pub fn path() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home)?;
    Some(caches.join("vmwright"))
}

/// A directory in it, which is created if it is missing.
pub(crate) fn subdirectory(name: &str) -> io::Result<PathBuf> {
    let cache = path().ok_or_else(|| io::Error::other("neither HOME nor XDG_CACHE_HOME is set"))?;
    let dir = cache.join(name);
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Finds the file or directory `name` in a subdirectory of the cache, or makes it: `make` is
/// passed an empty directory, and returns the path of what it has made in it. Other processes
/// that need the same one wait.
pub(crate) fn find_or_make(
    subdirectory: &str,
    name: &str,
    make: impl FnOnce(&Path) -> io::Result<PathBuf>,
) -> io::Result<PathBuf> {
    let cache = self::subdirectory(subdirectory)?;
    let found = cache.join(name);
    if found.exists() {
        return Ok(found);
    }
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    if found.exists() {
        return Ok(found);
    }
    let prefix = format!(".{name}.");
    // Those of processes that were killed.
    for entry in fs::read_dir(&cache)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let work = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&cache)?;
    fs::rename(make(work.path())?, &found)?;
    Ok(found)
}
