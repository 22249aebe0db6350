//! The way to the guest's root shell.

use std::fmt::Display;
use std::time::Instant;

use backdoor_shell::{Command, Output};

use super::shell_gate::{BOOTING, GuestShell};
use super::{Guest, Running};
use crate::error::Result;
use crate::trace;

/// The operation of running a command, in errors.
pub(super) fn running_command(script: &str) -> String {
    format!("running `{script}`")
}

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

    /// Runs a command of a test in the guest's root shell, as [`in_shell`](Self::in_shell)
    /// does, and emits the result.
    pub(super) async fn in_traced_shell(
        &self,
        running: &Running,
        command: Command,
        run: impl AsyncFnOnce(&mut GuestShell, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let (script, start) = (command.script().to_owned(), Instant::now());
        let doing = running_command(&script);
        let result = self.in_shell(running, &doing, command, run).await;
        let traced = match &result {
            Ok(output) => Ok((output.status(), &*output.stdout)),
            Err(error) => Err(error as &dyn Display),
        };
        trace::ran(self.name(), &script, start, traced);
        result
    }

    /// Runs a command in the guest's root shell, whose time limit is scaled already. Checks
    /// the polling conditions first, and connects the shell.
    pub(super) async fn in_shell(
        &self,
        running: &Running,
        doing: &str,
        command: Command,
        run: impl AsyncFnOnce(&mut GuestShell, Command) -> Result<Output, backdoor_shell::Error>,
    ) -> Result<Output> {
        let command = command.default_timeout(self.limit);
        self.check_conditions().await?;
        let start = tokio::time::Instant::now();
        let run = async |shell: &mut GuestShell| run(shell, command).await;
        let output = Box::pin(running.gate.run(self, doing, run)).await?;
        self.check_conditions_after(start).await?;
        Ok(output)
    }
}
