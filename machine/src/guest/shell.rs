//! Connecting the guest's root shell, and disconnecting it.

use super::Guest;
use super::shell_gate::BOOTING;
use crate::error::{ErrorKind, Result};

/// # The root shell
impl Guest {
    /// Waits for the guest to boot and its root shell to answer. Starts a machine that
    /// was not started, or was shut down or crashed on purpose. Does nothing if the shell
    /// is connected, busy or not.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) with the last console lines.
    pub async fn connect(&self) -> Result<()> {
        let running = self.started(BOOTING).await?;
        running.gate.connect(self).await
    }

    /// Disconnects from a guest's shell that is about to end, because the guest is about
    /// to reboot, say. The next operation that needs a shell waits for the new one.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if another command keeps the shell.
    pub async fn disconnect(&self) -> Result<()> {
        let doing = "disconnecting the guest's shell";
        let running = self.running(doing)?;
        running.gate.disconnect(self, doing).await
    }

    /// Whether the guest has a root shell, or will have one.
    pub(crate) fn has_shell(&self) -> bool {
        self.shared.has_shell
    }

    /// Fails at once if the guest has no shell, instead of waiting for one.
    pub(crate) fn require_shell(&self, doing: &str) -> Result<()> {
        self.require_shell_or(
            doing,
            "use its serial console (`send_console`, `wait_for_console_screen`), or its \
             keyboard and screen (`send_chars`, `wait_for_text`)",
        )
    }

    /// The same for an operation that can be done in another way.
    pub(crate) fn require_shell_or(&self, doing: &str, instead: &'static str) -> Result<()> {
        if self.has_shell() {
            return Ok(());
        }
        let doing = doing.to_owned();
        Err(self.error(ErrorKind::NoShell { doing, instead }))
    }
}
