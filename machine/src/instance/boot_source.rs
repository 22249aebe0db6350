//! What a QEMU starts from.

use std::path::PathBuf;

use super::saved_state::SavedState;

/// A file that is the guest's RAM.
#[derive(Clone, Debug)]
pub(crate) struct RamFile {
    pub(crate) path: PathBuf,
    /// In bytes; must be the size that the start command gives the guest.
    pub(crate) size: u64,
}

/// What a QEMU starts from.
#[derive(Clone, Debug, Default)]
pub(crate) enum BootSource {
    /// The guest boots.
    #[default]
    Boot,
    /// The guest does not run: QEMU is only queried.
    Paused,
    /// The guest boots with its RAM in a file, to be saved.
    BootInto(RamFile),
    /// The guest continues from a saved state, and gets an identity afterwards.
    Saved(SavedState),
    /// The same for a machine's own template: the start applies the identity, and keeps the
    /// hardware addresses.
    SavedSelf(SavedState),
    /// The guest continues from a saved state with a copy of its RAM in this file, to be
    /// saved again.
    SavedInto(SavedState, PathBuf),
}

impl BootSource {
    /// The console log of the boot, if it counts as that of the machine: the caller does not
    /// know that it continues from a template.
    pub(crate) fn boot_log(&self) -> Option<PathBuf> {
        match self {
            Self::SavedSelf(saved) => Some(saved.console_log()),
            _ => None,
        }
    }

    /// The saved state from which the guest continues.
    pub(crate) fn saved(&self) -> Option<&SavedState> {
        match self {
            Self::Saved(saved) | Self::SavedSelf(saved) | Self::SavedInto(saved, _) => Some(saved),
            Self::Boot | Self::Paused | Self::BootInto(_) => None,
        }
    }
}
