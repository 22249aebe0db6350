//! Operations on files that `std` does not have.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use crate::error::ErrorKind;

/// Removes a file; succeeds if there is none.
pub(crate) fn remove_file_if_exists(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves a file; copies it if it is on another file system.
pub(crate) async fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match tokio::fs::rename(from, to).await {
        Ok(()) => Ok(()),
        Err(_) => tokio::fs::copy(from, to).await.map(drop),
    }
}

/// Writes a file in a machine's directory that all users can read. It belongs to the user and the
/// group with the id `owner`, or to those of this process.
pub(crate) fn write_readable(path: &Path, text: &str, owner: Option<u32>) -> Result<(), ErrorKind> {
    fs::write(path, text)
        // Whatever this process's umask.
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)))
        .and_then(|()| chown(path, owner, owner))
        .map_err(at(path))
}

/// Converts an I/O error at a file of the user's, or a template's.
pub(crate) fn host_file_error(path: &Path) -> impl FnOnce(io::Error) -> ErrorKind {
    let path = path.to_owned();
    move |source| ErrorKind::HostFile { path, source }
}

/// Converts an I/O error at `path`, one of a machine's own.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> ErrorKind {
    let path = path.to_owned();
    move |source| ErrorKind::StateDir { path, source }
}
