//! Checks of files, directories and programs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Checks that a file can be opened, without reading it.
pub(super) fn file(path: &Path) -> Result<(), String> {
    let metadata = fs::File::open(path).and_then(|file| file.metadata());
    let metadata = metadata.map_err(|error| format!("{}: {error}", path.display()))?;
    if metadata.is_file() {
        return Ok(());
    }
    Err(format!("{}: not a file", path.display()))
}

pub(super) fn executable(path: &Path) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{}: not an executable file", path.display()));
    }
    Ok(())
}

/// Creates `dir` if it is missing, and checks that files can be created in it.
pub(super) fn created(what: &str, dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("the {what} {}: {error}", dir.display()))?;
    writable(what, dir)
}

/// Checks that files can be created in `dir`.
pub(super) fn writable(what: &str, dir: &Path) -> Result<(), String> {
    let probe = tempfile::tempfile_in(dir);
    probe
        .map(drop)
        .map_err(|error| format!("the {what} {}: {error}", dir.display()))
}

/// Checks that a program is in `PATH`.
pub(super) fn program(name: &str, purpose: &str) -> Result<(), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|dir| executable(&dir.join(name)).is_ok()) {
        return Ok(());
    }
    Err(format!("{name} is not in PATH: {purpose}"))
}
