//! The directories that are still to be copied.

use std::io;
use std::path::{Path, PathBuf};

/// Limited in memory, because the guest may create directories without end.
#[derive(Debug, Default)]
pub(super) struct Pending {
    paths: Vec<PathBuf>,
    bytes: usize,
}

impl Pending {
    /// The memory limit in bytes, enough for some hundred thousand sibling directories.
    pub(super) const MAX_BYTES: usize = 32 << 20;

    pub(super) fn push(&mut self, path: PathBuf) -> io::Result<()> {
        let bytes = self.bytes + memory(&path);
        if bytes > Self::MAX_BYTES {
            return Err(io::Error::other(format!(
                "too many directories at once, more than {}",
                self.paths.len()
            )));
        }
        self.bytes = bytes;
        self.paths.push(path);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<PathBuf> {
        let path = self.paths.pop()?;
        self.bytes -= memory(&path);
        Some(path)
    }
}

/// The memory for the path: its bytes, its entry in the list, and the allocator's overhead.
fn memory(path: &Path) -> usize {
    path.as_os_str().len() + 2 * size_of::<PathBuf>()
}
