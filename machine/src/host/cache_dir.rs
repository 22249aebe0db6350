//! The user's directory for what can be made again, `$XDG_CACHE_HOME/vmwright`.

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
