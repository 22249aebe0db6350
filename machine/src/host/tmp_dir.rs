//! Directories that go with their process, however it ends.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{self, Path, PathBuf};

use uuid::Uuid;

use crate::host::guest_tree::{self, Task};
use crate::host::orphan_cleanup::OrphanCleanup;

/// How much of a random number is in a name: sockets are in there, and their paths are
/// to be short.
const RANDOM: usize = 10;

/// A new directory in the system's temporary one, for this user alone. It is removed with
/// all in it when this is dropped, or after this process, should it be killed.
#[derive(Debug)]
pub struct TmpDir {
    path: PathBuf,
    orphan_cleanup: OrphanCleanup,
}

impl TmpDir {
    /// Makes it: `vm-` and some random letters in [`env::temp_dir`].
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        let random = Uuid::new_v4().simple().to_string();
        let system = path::absolute(env::temp_dir())?;
        let path = system.join(format!("vm-{}", &random[..RANDOM]));
        // At no time is it there without somebody to remove it.
        let orphan_cleanup = OrphanCleanup::remove_dir(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self {
            path,
            orphan_cleanup,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TmpDir {
    fn drop(&mut self) {
        // Guests may have shared what is in it.
        let to_its_end = Task::default();
        if guest_tree::remove(&self.path, &to_its_end).is_err() {
            // This process may have no file descriptors left.
            self.orphan_cleanup.run();
        }
    }
}
