//! The steps that prepare a template's guest.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backdoor_shell::Command;
use futures_util::future::BoxFuture;
use walkdir::WalkDir;

use super::hash::Hash;
use crate::error::Result;
use crate::machine::Machine;
use crate::unit::Unit;

#[derive(Clone, Debug)]
pub(super) enum Step {
    WaitForUnit(Unit),
    WaitForCloudInit,
    Succeed(Command),
    CopyFromHost(PathBuf, String),
    /// A function, and its version.
    Prepare(String, Preparation),
}

/// What a caller does with the machine.
#[derive(Clone)]
pub(super) struct Preparation(pub(super) Arc<Prepare>);

type Prepare = dyn Fn(Machine) -> BoxFuture<'static, Result<()>> + Send + Sync;

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparation").finish_non_exhaustive()
    }
}

impl Step {
    pub(super) async fn apply(&self, vm: &Machine) -> Result<()> {
        match self {
            Self::WaitForUnit(unit) => vm.wait_for_unit(unit.clone()).await,
            Self::WaitForCloudInit => vm.wait_for_cloud_init().await,
            Self::Succeed(command) => vm.succeed(command.clone()).await.map(drop),
            Self::CopyFromHost(source, target) => vm.copy_from_host(source, target).await,
            Self::Prepare(_, Preparation(run)) => run(vm.clone()).await,
        }
    }

    /// Adds everything that the step depends on.
    pub(super) fn hash(&self, hash: &mut Hash) -> io::Result<()> {
        match self {
            Self::WaitForUnit(unit) => {
                hash.text("unit");
                hash.text(unit.user().unwrap_or_default());
                hash.text(unit.name());
            }
            Self::WaitForCloudInit => hash.text("cloud-init"),
            Self::Succeed(command) => {
                // A time limit ends the command, or the template is not made.
                hash.text("command");
                hash.text(command.script());
            }
            Self::CopyFromHost(source, target) => {
                hash.text("copy");
                hash.text(target);
                hash_files(source, hash)?;
            }
            Self::Prepare(version, _) => {
                hash.text("prepare");
                hash.text(version);
            }
        }
        Ok(())
    }
}

/// The key of the steps alone.
///
/// # Errors
/// A file that a step copies can't be read.
pub(super) fn key_of_steps(steps: &[Step]) -> io::Result<String> {
    let mut hash = Hash::default();
    for step in steps {
        step.hash(&mut hash)?;
    }
    Ok(hash.hex())
}

/// Names, modes and contents. Symbolic links are followed, as in the copy.
fn hash_files(source: &Path, hash: &mut Hash) -> io::Result<()> {
    for entry in WalkDir::new(source).follow_links(true).sort_by_file_name() {
        let entry = entry?;
        let name = entry.path().strip_prefix(source).unwrap_or(entry.path());
        let metadata = entry.metadata()?;
        hash.bytes(name.as_os_str().as_bytes());
        hash.number(metadata.permissions().mode().into());
        if metadata.is_file() {
            hash.content(entry.path())?;
        }
    }
    Ok(())
}
