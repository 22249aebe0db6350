//! Ending QEMU.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Instance;
use crate::error::Result;
use crate::guest::Guest;
use crate::host::blocking::blocking;

/// How long QEMU may take to quit before it is killed.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

impl Instance {
    /// Ends QEMU without notice to the guest: it quits, or is killed.
    pub(crate) async fn crash(&self, guest: &Guest) -> Result<()> {
        guest
            .step("forced crash", async {
                // QEMU may exit before it has answered; or it hangs.
                let _ = timeout(QUIT_LIMIT, self.hmp.command("quit")).await;
                let exited = self.running.lifetime.exited();
                if timeout(QUIT_LIMIT, exited).await.is_err() {
                    let running = Arc::clone(&self.running);
                    blocking(move || running.lifetime.kill()).await;
                }
                guest.wait_for_exit(&self.running).await.map(drop)
            })
            .await
    }
}
