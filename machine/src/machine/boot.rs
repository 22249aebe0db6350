//! What a machine's next start begins with.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Machine;
use crate::error::Result;
use crate::host::blocking::blocking;
use crate::host::files::remove_file_if_exists;
use crate::instance::boot_source::BootSource;
use crate::instance::saved_state::{Disk, SavedState};

/// Provides the saved state from which a machine's first start continues, or the reason
/// why it must boot.
pub(crate) type SavedStateSource =
    dyn Fn(Machine) -> BoxFuture<'static, Result<SavedState, String>> + Send + Sync;

/// A [`SavedStateSource`] that builders share.
#[derive(Clone)]
pub(crate) struct SharedSource(pub(crate) Arc<SavedStateSource>);

/// What the next start begins with, and what the disks depend on.
#[derive(Default)]
pub(super) struct Boot {
    pub(super) next: Next,
    /// The saved state that is below the machine's disks, kept from being removed.
    pub(super) base: Option<SavedState>,
}

/// What the next start begins with. Every later start boots.
#[derive(Clone)]
pub(super) enum Next {
    Source(Box<BootSource>),
    Provided(SharedSource),
}

impl Default for Next {
    fn default() -> Self {
        Self::Source(Box::default())
    }
}

impl Machine {
    /// Makes the next start boot, whatever was configured.
    pub(super) fn boot_next(&self) {
        self.parts.boot.lock().next = Next::default();
    }

    /// Starts QEMU from what was configured; a second start boots.
    pub(super) async fn start_next(&self, allow_reboot: bool) -> Result<()> {
        let next = self.parts.boot.lock().next.clone();
        match next {
            Next::Source(source) => {
                self.parts.boot.lock().next = Next::default();
                self.start_from(&source, allow_reboot).await
            }
            Next::Provided(source) => {
                self.start_provided(&source, allow_reboot).await?;
                // A failed start does not count as the first.
                self.parts.boot.lock().next = Next::default();
                Ok(())
            }
        }
    }

    /// Starts from the saved state that `source` provides, or boots, with a warning.
    async fn start_provided(&self, source: &SharedSource, allow_reboot: bool) -> Result<()> {
        let reason = match self.try_provided(source, allow_reboot).await {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        };
        tracing::warn!(machine = self.name(), "booted instead of cloned: {reason}");
        self.start_from(&BootSource::Boot, allow_reboot).await
    }

    /// # Errors
    /// Why the machine must boot.
    async fn try_provided(&self, source: &SharedSource, allow_reboot: bool) -> Result<(), String> {
        let saved = source.0(self.clone()).await?;
        let disks = self.disks_to_create(&saved)?;
        let source = BootSource::SavedSelf(saved.clone());
        match self.start_from(&source, allow_reboot).await {
            Ok(()) => {
                disks.keep();
                self.parts.boot.lock().base = Some(saved);
                Ok(())
            }
            Err(error) => {
                let reason = error.to_string();
                blocking(move || saved.failed(&error)).await;
                Err(reason)
            }
        }
    }

    /// The disks that are created from a saved state, unless the machine has its own.
    fn disks_to_create(&self, saved: &SavedState) -> Result<CreatedDisks, String> {
        let state = self.state_dir();
        let disks = saved.vm().into_iter().flat_map(|vm| &vm.disks);
        let disks: Vec<PathBuf> = disks.map(|Disk { name, .. }| state.join(name)).collect();
        match disks.iter().find(|disk| disk.exists()) {
            Some(disk) => Err(format!("it has {} already", disk.display())),
            None => Ok(CreatedDisks(disks)),
        }
    }
}

/// Disks that are removed again, unless the machine was started with them.
struct CreatedDisks(Vec<PathBuf>);

impl CreatedDisks {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for CreatedDisks {
    fn drop(&mut self) {
        for disk in &self.0 {
            if let Err(error) = remove_file_if_exists(disk) {
                tracing::warn!("can't remove {}: {error}", disk.display());
            }
        }
    }
}
