//! Connecting the shell: waiting for the guest to boot.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::{ShellGate, ShellLock};
use crate::error::{ErrorKind, Result};
use crate::guest::Guest;

/// How often a warning reports that the guest's shell has not answered yet.
const BOOT_REMINDER: Duration = Duration::from_secs(30);

/// What is being waited for while the shell is not connected.
pub(crate) const BOOTING: &str = "waiting for the guest to finish booting";

impl ShellGate {
    /// Connects a shell that is not connected.
    pub(super) async fn connect_in(
        &self,
        lock: &mut ShellLock,
        caller: &Guest,
        doing: &str,
    ) -> Result<()> {
        if lock.shell.is_connected() {
            return Ok(());
        }
        let greeting = async {
            tokio::select! {
                biased;
                greeted = self.wait_for_greeting(lock, caller) => greeted,
                source = self.until_login_fails() => Err(ErrorKind::SerialLogin {
                    source,
                    console: self.lifetime.last_console_lines(),
                }),
            }
        };
        let connected = caller.until_guest_end(&self.lifetime, doing, greeting);
        caller.step(BOOTING, connected).await
    }

    async fn wait_for_greeting(
        &self,
        lock: &mut ShellLock,
        caller: &Guest,
    ) -> Result<(), ErrorKind> {
        let (machine, limit) = (caller.name(), caller.limit());
        let on_line = |line: &str| {
            let line = serial_log::printable(line);
            tracing::info!(machine, "Guest shell printed: {line}");
        };
        let start = Instant::now();
        let mut reminders = 0;
        while start.elapsed() < limit {
            let left = limit.saturating_sub(start.elapsed());
            if let Ok(connected) = timeout(BOOT_REMINDER.min(left), lock.connect(on_line)).await {
                return connected.map_err(|source| self.lifetime.shell_error(source));
            }
            reminders += 1;
            tracing::warn!(
                machine,
                "the guest's root shell has not answered yet: see how far the console has come"
            );
        }
        let seen = "no greeting from the shell";
        let what = "the guest's root shell";
        Err(self.lifetime.timed_out(limit, what, reminders, seen))
    }
}

impl ShellLock {
    async fn connect(&mut self, on_line: impl FnMut(&str)) -> Result<(), backdoor_shell::Error> {
        self.shell.connect(on_line).await?;
        self.connection.record_greeting();
        self.publish();
        Ok(())
    }
}
