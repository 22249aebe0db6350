//! Operations on files that `std` does not have.

use std::fs;
use std::io;
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
