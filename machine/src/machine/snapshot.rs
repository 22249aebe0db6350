//! Snapshots: restoring an earlier state of the same machine.

use super::Machine;
use crate::error::Result;
use crate::instance::snapshots::{RESTORING, Snapshot, TAKING};

/// # Snapshots
impl Machine {
    /// Saves the machine's present state, to be [restored](Self::restore) any number of
    /// times until QEMU exits.
    ///
    /// It is written to the machine's own disk image, where it stays, which takes as long
    /// as writing the RAM that the guest has used. The guest is stopped meanwhile, and the
    /// 9p share is unmounted.
    ///
    /// # Errors
    /// [`NotSavable`](crate::ErrorKind::NotSavable),
    /// [`Snapshot`](crate::ErrorKind::Snapshot): no writable disk is in the format qcow2,
    /// say.
    ///
    /// # Cancellation
    /// Before the guest is stopped, dropping the future cancels it, perhaps with the share
    /// unmounted. After that, the snapshot is completed.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.step(TAKING, async {
            let instance = self.checked_instance(TAKING).await?;
            instance.take_snapshot(self.guest.unchecked()).await
        })
        .await
    }

    /// Restores an earlier state of this machine, even if its guest has rebooted since, or
    /// hangs; then sets the guest's clock and reseeds its random number generator.
    ///
    /// Everything that the guest has done since then is undone; the console's log, files
    /// in the share and everything else on the host stay as they are.
    ///
    /// # Errors
    /// [`Snapshot`](crate::ErrorKind::Snapshot): it belongs to another machine, or to this
    /// one before it was started again.
    ///
    /// # Cancellation
    /// A restoration that has begun is completed.
    pub async fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        self.step(RESTORING, async {
            let instance = self.unchecked_instance(RESTORING)?;
            instance.restore(self.guest.unchecked(), snapshot).await
        })
        .await
    }
}
