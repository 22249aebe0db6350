//! The user's directory for what can be made again, `$XDG_CACHE_HOME/vmwright`.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::sync::Mutex;

/// The extension of lock files.
const LOCK: &str = "lock";

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
/// that need the same one wait. It is not removed while this process runs.
pub(crate) fn find_or_make(
    subdirectory: &str,
    name: &str,
    make: impl FnOnce(&Path) -> io::Result<PathBuf>,
) -> io::Result<PathBuf> {
    let cache = self::subdirectory(subdirectory)?;
    let found = cache.join(name);
    let lock = File::create(cache.join(format!("{name}.{LOCK}")))?;
    lock.lock()?;
    if !found.exists() {
        let prefix = format!(".{name}.");
        remove_unfinished(&cache, &prefix)?;
        let work = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&cache)?;
        fs::rename(make(work.path())?, &found)?;
    }
    use_until_exit(&found)?;
    Ok(found)
}

/// Removes what processes have left that were killed.
fn remove_unfinished(cache: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Locks a file or directory of the cache.
fn use_until_exit(path: &Path) -> io::Result<()> {
    static USED: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());
    let mut used = USED.lock();
    if !used.contains_key(path) {
        let file = File::open(path)?;
        file.lock_shared()?;
        used.insert(path.to_owned(), file);
    }
    Ok(())
}

/// Removes all that was [found or made](find_or_make) in a subdirectory of the cache, but for
/// what a process uses.
pub(crate) fn clear(subdirectory: &str) -> io::Result<()> {
    clear_dir(&self::subdirectory(subdirectory)?)
}

fn clear_dir(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let lock = entry?.path();
        if lock.extension().is_some_and(|extension| extension == LOCK) {
            remove_unused(&lock, &lock.with_extension(""))?;
        }
    }
    Ok(())
}

fn remove_unused(lock: &Path, path: &Path) -> io::Result<()> {
    let lock = File::open(lock)?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if file.try_lock().is_err() => Ok(()),
        Ok(file) if file.metadata()?.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_uses_is_kept() {
        let cache = tempfile::tempdir().unwrap();
        let [used, unused] = ["used.tree", "unused.ext4"].map(|name| cache.path().join(name));
        for path in [&used, &unused] {
            File::create(path.with_added_extension(LOCK)).unwrap();
        }
        fs::create_dir(&used).unwrap();
        fs::write(&unused, "an image").unwrap();
        use_until_exit(&used).unwrap();
        clear_dir(cache.path()).unwrap();
        assert!(used.exists() && !unused.exists());
        // There is nothing left to remove.
        clear_dir(cache.path()).unwrap();
    }
}
