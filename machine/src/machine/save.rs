//! Saving a machine, and what its clones become.

use std::path::Path;

use super::Machine;
use crate::error::Result;
use crate::instance::saved_state::SavedVm;

impl Machine {
    /// Checks that the machine can be saved, before its guest is started. Returns the size of
    /// the guest's RAM in bytes.
    pub(crate) async fn try_to_save(&self) -> Result<u64> {
        let instance = self.unchecked_instance("checking that the machine can be saved")?;
        instance.try_to_save(&self.guest).await
    }

    /// Saves devices and disks to `dir`, where the RAM is already, and ends QEMU.
    ///
    /// # Errors
    /// [`NotSavable`](crate::ErrorKind::NotSavable) if such a machine can never be saved.
    pub(crate) async fn save_to(&self, dir: &Path) -> Result<SavedVm> {
        let doing = "saving vm";
        self.step(doing, async {
            let instance = self.unchecked_instance(doing)?;
            instance.save_to(&self.guest, dir).await
        })
        .await
    }

    /// Gives a clone's guest an identity and hardware addresses of its own, and a host
    /// name if there is one.
    pub(crate) async fn become_clone(&self, vm: &SavedVm, host_name: Option<&str>) -> Result<()> {
        let instance = self.unchecked_instance("applying a clone's identity")?;
        instance.identify(&self.guest, vm, host_name).await?;
        if vm.macs.is_empty() {
            return Ok(());
        }
        self.replace_macs(&vm.macs).await
    }
}
