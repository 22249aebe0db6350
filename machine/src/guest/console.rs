//! The serial console.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serial_log::{Match, SerialLog};

use crate::error::{ErrorKind, Result};
use crate::machine::Machine;

/// # The serial console
impl Machine {
    /// Waits until the regular expression `pattern` matches what the console
    /// has shown since the last match, and gives the matched text.
    ///
    /// The match may span lines (`\n` between them), and the last line counts
    /// as far as it has come: `login: ` finds a prompt. See
    /// [`SerialLog::wait_for`](serial_log::SerialLog::wait_for).
    ///
    /// # Errors
    /// [`Console`](ErrorKind::Console): not a regular expression, or not seen
    /// in time; with the last console lines.
    pub async fn wait_for_console_text(&self, pattern: &str) -> Result<String> {
        self.wait_on_console(pattern, async |console, limit| {
            console.wait_for(pattern, Some(limit)).await
        })
        .await
    }

    /// The same for other ways to search: `find` is given what the console has shown
    /// since the last match, and gives the range of bytes that matched. `wanted`
    /// says what it looks for. See
    /// [`SerialLog::wait_with`](serial_log::SerialLog::wait_with).
    ///
    /// # Errors
    /// As [`wait_for_console_text`](Self::wait_for_console_text).
    pub async fn wait_for_console_text_with(
        &self,
        wanted: &str,
        find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> Result<String> {
        self.wait_on_console(wanted, async |console, limit| {
            console.wait_with(wanted, Some(limit), find).await
        })
        .await
    }

    async fn wait_on_console(
        &self,
        wanted: &str,
        wait: impl AsyncFnOnce(&SerialLog, Duration) -> Result<Match, serial_log::Error>,
    ) -> Result<String> {
        let what = format!("waiting for {wanted} to appear on console");
        self.step(
            &what,
            self.on_guest(&what, async |running| {
                Ok(wait(&running.qemu.console, self.limit).await?.text)
            }),
        )
        .await
    }

    /// All that the console has shown since the machine was started. Of more than a GiB
    /// the last: `console.log` in the [state directory](Self::state_dir) has all.
    ///
    /// Works after the machine has stopped, too, until it is released.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning) if the machine was never started.
    pub async fn get_console_log(&self) -> Result<String> {
        let running = self.running("reading the console log")?;
        let log = running.qemu.console.text().await;
        if log.missing > 0 {
            let missing = log.missing;
            tracing::warn!(
                machine = self.name(),
                "the first {missing} bytes of the console's log are left out"
            );
        }
        Ok(log.text)
    }

    /// Types on the serial console: `send_console("root\n")` logs in.
    ///
    /// # Errors
    /// [`Console`](ErrorKind::Console) if QEMU does not take it.
    pub async fn send_console(&self, chars: &str) -> Result<()> {
        self.ask_qemu("typing on the console", async |running| {
            running
                .qemu
                .console
                .send(chars.as_bytes())
                .await
                .map_err(ErrorKind::Console)
        })
        .await
    }

    /// Tells of console lines again, through `tracing`: the state a machine
    /// begins with.
    pub fn serial_stdout_on(&self) {
        self.parts.shows_serial.store(true, Ordering::Relaxed);
    }

    /// Tells of no more console lines. They are kept in the log all the same.
    pub fn serial_stdout_off(&self) {
        self.parts.shows_serial.store(false, Ordering::Relaxed);
    }
}
