//! The directories that are still to be copied.

use std::io;
use std::path::{Path, PathBuf};

/// Of a tree of which a guest may go on to make more, as much as there is memory for.
#[derive(Debug, Default)]
pub(super) struct Pending {
    paths: Vec<PathBuf>,
    bytes: usize,
}

impl Pending {
    /// How many bytes all paths may cost: some hundred thousands of directories side by
    /// side have such.
    pub(super) const MOST: usize = 32 << 20;

    pub(super) fn push(&mut self, path: PathBuf) -> io::Result<()> {
        let bytes = self.bytes + cost(&path);
        if bytes > Self::MOST {
            return Err(io::Error::other(format!(
                "there are too many directories side by side, {} and more",
                self.paths.len()
            )));
        }
        self.bytes = bytes;
        self.paths.push(path);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<PathBuf> {
        let path = self.paths.pop()?;
        self.bytes -= cost(&path);
        Some(path)
    }
}

/// That of the path, and of its place in the list and in the allocator's.
fn cost(path: &Path) -> usize {
    path.as_os_str().len() + 2 * size_of::<PathBuf>()
}
