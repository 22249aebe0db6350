//! Waiting for a guest to become idle.

use super::Guest;
use super::poll::PAUSE;
use crate::error::Result;

impl Guest {
    /// Waits until the guest is idle, for half a minute at most: whatever it was doing
    /// when it was saved, every clone of it would do again.
    pub(crate) async fn wait_for_idle(&self) -> Result<()> {
        let script = self.script("waiting for the guest to be idle");
        let script = script.append(PAUSE);
        let script = script.append(include_str!("wait_for_idle.sh"));
        if !self.execute(script.into_text()).await?.success() {
            tracing::debug!(machine = self.name(), "the guest is saved, but not idle");
        }
        Ok(())
    }
}
