//! Operations on files that `std` does not have.

use std::fs;
use std::io;
use std::path::Path;

/// Removes a file; succeeds if there is none.
pub(crate) fn remove_file_if_exists(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
