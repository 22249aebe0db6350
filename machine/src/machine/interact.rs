//! Sessions for people: the root shell and the serial console on a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backdoor_shell::TerminalKind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::error::{ErrorKind, Result};
use crate::guest::commands::shell_error;
use crate::host::terminal::Terminal;
use crate::machine::Machine;

/// # Sessions for people
///
/// For the development of a test. They use this process's terminal, which is
/// restored whatever happens; or its standard input and output as they are, if
/// they are no terminal. Ctrl-] leaves at once; no time-out does, however long they last.
///
/// At this process's death, by SIGKILL as well, a small process of its own restores
/// the terminal. Whoever kills that one, too, is left to `stty sane`.
impl Machine {
    /// A root shell in the guest, with all that a terminal offers. Ends when
    /// the shell does: by `exit` or Ctrl-D.
    ///
    /// # Errors
    /// [`Terminal`](ErrorKind::Terminal), [`Shell`](ErrorKind::Shell).
    pub async fn shell_interact(&self) -> Result<()> {
        self.connect().await?;
        tracing::info!(
            machine = self.name(),
            "Terminal is ready; Ctrl-D ends the shell, Ctrl-] leaves it"
        );
        let mut terminal = self.terminal()?;
        let mut kind = TerminalKind::default();
        if let Some(size) = terminal
            .raw
            .as_ref()
            .and_then(crate::host::terminal::RawMode::size)
            // One that does not know its size has none.
            .filter(|size| size.ws_row > 0 && size.ws_col > 0)
        {
            (kind.rows, kind.columns) = (size.ws_row, size.ws_col);
            kind.term = std::env::var("TERM").unwrap_or(kind.term);
        }
        let session = self.shell_interact_on(&kind, terminal.input, terminal.output);
        tokio::select! {
            result = session => result,
            () = terminal.escape.typed() => Ok(()),
        }
    }

    /// [`shell_interact`](Self::shell_interact) on other streams. The end of
    /// `input` is Ctrl-D to the shell.
    pub async fn shell_interact_on(
        &self,
        kind: &TerminalKind,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<()> {
        self.on_guest("using the shell", async |running| {
            let mut shell = self.turn(running).await?;
            self.connect_shell(running, &mut shell).await?;
            let session = shell.interact(kind, input, output).await;
            session.map_err(|source| shell_error(running, source))
        })
        .await
    }

    /// The serial console. Ends when the input does. Meanwhile its lines are not
    /// [told of](Self::serial_stdout_on).
    ///
    /// # Errors
    /// [`Terminal`](ErrorKind::Terminal), [`Console`](ErrorKind::Console).
    pub async fn console_interact(&self) -> Result<()> {
        let _untold = Untold::new(self);
        tracing::info!(
            machine = self.name(),
            "Terminal is ready (there is no prompt); Ctrl-] leaves it"
        );
        let terminal = self.terminal()?;
        let line_end = if terminal.raw.is_some() { "\r\n" } else { "\n" };
        self.console_session(terminal.input, terminal.output, line_end)
            .await
    }

    /// [`console_interact`](Self::console_interact) on other streams.
    pub async fn console_interact_on(
        &self,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<()> {
        self.console_session(input, output, "\n").await
    }

    async fn console_session(
        &self,
        mut input: impl AsyncRead + Unpin,
        mut output: impl AsyncWrite + Unpin,
        line_end: &str,
    ) -> Result<()> {
        self.on_qemu("using the console", async |running| {
            let console = &running.qemu.console;
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
        })
        .await
    }

    fn terminal(&self) -> Result<Terminal> {
        Terminal::open().map_err(|error| self.error(ErrorKind::Terminal(error)))
    }
}

/// As long as this lives, console lines are not told of: who sees them come would see
/// them twice.
struct Untold {
    shows_serial: Arc<AtomicBool>,
    before: bool,
}

impl Untold {
    fn new(machine: &Machine) -> Self {
        let shows_serial = Arc::clone(&machine.parts.shows_serial);
        let before = shows_serial.swap(false, Ordering::Relaxed);
        Self {
            shows_serial,
            before,
        }
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.shows_serial.store(self.before, Ordering::Relaxed);
    }
}
