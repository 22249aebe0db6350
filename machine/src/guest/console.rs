//! The serial console.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use serial_log::SerialLog;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Guest;
use crate::error::{ErrorKind, Result};

/// # The serial console
impl Guest {
    /// Waits until the regular expression `pattern` matches what the console has shown
    /// since the last match, and returns the matched text.
    ///
    /// The match may span lines (`\n` between them), and the last line counts before it
    /// is complete: `login: ` finds a prompt. See
    /// [`SerialLog::wait_for`](serial_log::SerialLog::wait_for).
    ///
    /// # Errors
    /// [`Console`](ErrorKind::Console) if it is not a regular expression, or does not
    /// match in time; with the last console lines.
    pub async fn wait_for_console_text(&self, pattern: &str) -> Result<String> {
        self.wait_on_console(&on_console(pattern), async |console, limit| {
            Ok(console.wait_for(pattern, Some(limit)).await?.text)
        })
        .await
    }

    /// The same with another way to search: `find` is passed what the console has shown
    /// since the last match, and returns the range of bytes that matches. `wanted`
    /// describes it in errors. See
    /// [`SerialLog::wait_with`](serial_log::SerialLog::wait_with).
    ///
    /// # Errors
    /// As [`wait_for_console_text`](Self::wait_for_console_text).
    pub async fn wait_for_console_text_with(
        &self,
        wanted: &str,
        find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> Result<String> {
        self.wait_on_console(&on_console(wanted), async |console, limit| {
            Ok(console.wait_with(wanted, Some(limit), find).await?.text)
        })
        .await
    }

    /// What the screen of a terminal on the console shows: its rows, each with a newline,
    /// without trailing blanks, except those before the cursor.
    ///
    /// The terminal has 80 columns and 24 rows, which programs assume of a serial line. It
    /// shows the menu of a boot loader, the dialogue of an installer and everything else that
    /// moves the cursor, where the lines of the [log](Self::get_console_log) are no help.
    ///
    /// Works after the machine has stopped, too, until it is released.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning) if the machine was never started.
    pub fn console_screen(&self) -> Result<String> {
        let running = self.running("reading the console's screen")?;
        Ok(running.lifetime.console.screen())
    }

    /// Waits until the regular expression `pattern` matches what the
    /// [console's screen](Self::console_screen) shows, now or after more output, and returns
    /// the matched text. `^` and `$` match at the ends of rows.
    ///
    /// ```no_run
    /// # async fn example(vm: machine::Machine) -> machine::Result<()> {
    /// // The second entry of a boot loader's menu: its line begins with `*` once chosen.
    /// vm.wait_for_console_screen("GNU GRUB").await?;
    /// vm.send_console("\x1b[B").await?;
    /// vm.wait_for_console_screen(r"\*Advanced options").await?;
    /// vm.send_console("\r").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Console`](ErrorKind::Console) if it is not a regular expression, or does not match
    /// in time; with the screen.
    pub async fn wait_for_console_screen(&self, pattern: &str) -> Result<String> {
        self.wait_on_console(&on_screen(pattern), async |console, limit| {
            console.wait_for_screen(pattern, Some(limit)).await
        })
        .await
    }

    /// The same with another way to search: `find` is passed the screen, and returns the
    /// range of bytes that matches. `wanted` describes it in errors.
    ///
    /// # Errors
    /// As [`wait_for_console_screen`](Self::wait_for_console_screen).
    pub async fn wait_for_console_screen_with(
        &self,
        wanted: &str,
        find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> Result<String> {
        self.wait_on_console(&on_screen(wanted), async |console, limit| {
            console
                .wait_for_screen_with(wanted, Some(limit), find)
                .await
        })
        .await
    }

    /// Runs a wait, which `what` describes.
    async fn wait_on_console(
        &self,
        what: &str,
        wait: impl AsyncFnOnce(&SerialLog, Duration) -> Result<String, serial_log::Error>,
    ) -> Result<String> {
        self.step(what, async {
            let running = self.running(what)?;
            let console = &running.lifetime.console;
            let matched = async { Ok(wait(console, self.limit()).await?) };
            self.until_guest_end(&running.lifetime, what, matched).await
        })
        .await
    }

    /// Everything that the console has shown since the machine was started; the last GiB,
    /// if it is more. `console.log` in the [state directory](Self::state_dir) is complete.
    ///
    /// Works after the machine has stopped, too, until it is released.
    ///
    /// # Errors
    /// [`NotRunning`](ErrorKind::NotRunning) if the machine was never started.
    pub async fn get_console_log(&self) -> Result<String> {
        let running = self.running("reading the console log")?;
        let log = running.lifetime.console.text().await;
        if log.missing > 0 {
            let missing = log.missing;
            tracing::warn!(
                machine = self.name(),
                "the first {missing} bytes of the console's log are omitted"
            );
        }
        Ok(log.text)
    }

    /// Types on the serial console: `send_console("root\n")` logs in. Keys without a character
    /// are the sequences that a terminal sends for them: `"\x1b"` is Escape, `"\x1b[A"`,
    /// `"\x1b[B"`, `"\x1b[C"` and `"\x1b[D"` are the cursor keys up, down, right and left, `"\r"`
    /// is Enter for programs that use the whole screen.
    ///
    /// # Errors
    /// [`Console`](ErrorKind::Console) if nothing reads it.
    ///
    /// # Cancellation
    /// Some of the characters may have been typed.
    pub async fn send_console(&self, chars: &str) -> Result<()> {
        let doing = "typing on the console";
        let running = self.running(doing)?;
        let lifetime = &running.lifetime;
        let sent = async {
            let sent = timeout(self.limit(), lifetime.console.send(chars.as_bytes())).await;
            let sent = sent.map_err(|_| lifetime.no_answer(doing, self.limit()))?;
            sent.map_err(ErrorKind::Console)
        };
        self.until_exit(&running.lifetime, doing, sent).await
    }

    /// Connects streams to the console until either ends. `line_end` ends shown lines.
    pub(crate) async fn console_session(
        &self,
        mut input: impl AsyncRead + Unpin,
        mut output: impl AsyncWrite + Unpin,
        line_end: &str,
    ) -> Result<()> {
        let doing = "using the console";
        let running = self.running(doing)?;
        let console = &running.lifetime.console;
        let session = async {
            let mut shown = console.follow();
            let mut typed = [0; 1024];
            loop {
                tokio::select! {
                    text = shown.next() => {
                        let Some(text) = text else { return Ok(()) };
                        let text = text.replace('\n', line_end);
                        output.write_all(text.as_bytes()).await.map_err(ErrorKind::Terminal)?;
                        output.flush().await.map_err(ErrorKind::Terminal)?;
                    }
                    read = input.read(&mut typed) => {
                        match read.map_err(ErrorKind::Terminal)? {
                            0 => return Ok(()),
                            bytes => console.send(&typed[..bytes]).await?,
                        }
                    }
                }
            }
        };
        self.until_exit(&running.lifetime, doing, session).await
    }

    /// Emits console lines through `tracing`, as a new machine does.
    pub fn serial_stdout_on(&self) {
        self.shared.console.is_shown.store(true, Ordering::Relaxed);
    }

    /// Stops emitting console lines. The log still has them.
    pub fn serial_stdout_off(&self) {
        self.shared.console.is_shown.store(false, Ordering::Relaxed);
    }
}

fn on_console(wanted: &str) -> String {
    format!("waiting for {wanted} to appear on console")
}

fn on_screen(wanted: &str) -> String {
    format!("waiting for {wanted} to appear on the console's screen")
}
