//! The 9p shares that a guest has mounted: it can't be saved with them.

use super::Guest;
use super::copy_dir::MOUNT_TAG;
use super::parse::mounts::{Mount, mounts};
use crate::error::{ErrorKind, Result};

impl Guest {
    /// Unmounts all 9p shares and returns those that nothing in the guest will mount again.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable) with the directory that stays mounted.
    pub(crate) async fn unmount_shares(&self) -> Result<Vec<Mount>> {
        let script = self
            .script("unmounting shares")
            .set("on_demand", MOUNT_TAG)?
            .append(include_str!("unmount_shares.sh"))
            .into_text();
        let output = self.execute(script).await?;
        if output.success() {
            return Ok(mounts(&output.text()));
        }
        let text = output.text();
        let dir = serial_log::printable(text.lines().last().unwrap_or("?")).into_owned();
        Err(self.error(ErrorKind::NotSavable {
            reason: format!("the guest holds the 9p share mounted at {dir}"),
        }))
    }
}
