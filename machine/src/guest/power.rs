//! Powering the guest off.

use std::process::ExitStatus;

use super::Guest;
use crate::error::{ErrorKind, Result};

/// # Power
impl Guest {
    /// Powers the guest off from inside and waits for its process to exit: QEMU, or that of a
    /// container. Does nothing if the machine does not run.
    ///
    /// # Errors
    /// [`CommandFailed`](ErrorKind::CommandFailed) if the guest's `poweroff` fails; as
    /// [`wait_for_shutdown`](Self::wait_for_shutdown).
    ///
    /// # Cancellation
    /// The guest may power off all the same.
    pub async fn shutdown(&self) -> Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        self.require_shell_or(
            "shutting down",
            "press its power button (`send_monitor_command(\"system_powerdown\")`, then \
             `wait_for_shutdown`), or `crash` it",
        )?;
        match self.succeed("poweroff").await {
            // The machine may be off before it has answered.
            Err(error) if !matches!(error.kind(), ErrorKind::Exited { .. }) => Err(error),
            _ => self.wait_for_shutdown().await.map(drop),
        }
    }

    /// Waits for the guest's process to exit and returns its status; `None` if the machine was
    /// not running.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) with the last console lines;
    /// [`GuestEnded`](ErrorKind::GuestEnded) if the guest is dead and its process goes on:
    /// trouble that [ends the guest](Self::watch_console), a kernel that has panicked and
    /// halts, or a guest that QEMU has stopped because the disk is full. If only QEMU's
    /// `pvpanic` device reports a panic, the kernel has 30 seconds to reboot, or as long as
    /// this handle waits.
    pub async fn wait_for_shutdown(&self) -> Result<Option<ExitStatus>> {
        match self.current() {
            Some(running) => self.wait_for_exit(&running).await.map(Some),
            None => Ok(None),
        }
    }
}
