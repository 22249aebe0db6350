//! Directories that are removed when their process ends, for any reason.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{self, Path, PathBuf};

use uuid::Uuid;

use crate::host::guest_tree::{self, Task};
use crate::host::orphan_cleanup::OrphanCleanup;

/// The number of random characters in a name. Few, because the directories contain sockets,
/// whose paths are limited.
const RANDOM_CHARS: usize = 10;

/// A new directory in the system's temporary one, accessible only to this user. It is
/// removed with its contents on drop, or when this process is killed.
#[derive(Debug)]
pub struct TmpDir {
    path: PathBuf,
    orphan_cleanup: OrphanCleanup,
}

impl TmpDir {
    /// Creates it in [`env::temp_dir`], named `vm-` and some random letters.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new() -> io::Result<Self> {
        let random = Uuid::new_v4().simple().to_string();
        let system = path::absolute(env::temp_dir())?;
        let path = system.join(format!("vm-{}", &random[..RANDOM_CHARS]));
        // First, so that the directory never exists without it.
        let orphan_cleanup = OrphanCleanup::remove_dir(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self {
            path,
            orphan_cleanup,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TmpDir {
    fn drop(&mut self) {
        // Its contents may be shared with guests.
        if guest_tree::remove(&self.path, &Task::default()).is_err() {
            // This process may have no file descriptors left.
            self.orphan_cleanup.run();
        }
    }
}
