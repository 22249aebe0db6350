//! Sessions for people: the root shell and the serial console on a terminal.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backdoor_shell::{Exit, TerminalKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::guest::shell_gate::GuestShell;
use crate::host::terminal::{RawMode, Terminal};

/// # Sessions for people
///
/// They are for the development of tests. They use this process's terminal, whose mode is
/// restored afterwards, or its standard input and output if these are not a terminal. The
/// guest's terminal has the size of this one, also when that changes.
/// Ctrl-] leaves at once; there is no time limit. Dropping a session's future ends it, and
/// what runs in its shell; input that was read may not have reached the guest.
///
/// If this process is killed, even by SIGKILL, another process restores the terminal. If
/// that one is killed, too, run `stty sane`.
impl Machine {
    /// Opens a root shell in the guest on the terminal. Returns when the shell exits.
    ///
    /// # Errors
    /// [`Terminal`](ErrorKind::Terminal), [`Shell`](ErrorKind::Shell).
    pub async fn shell_interact(&self) -> Result<()> {
        self.connect().await?;
        tracing::info!(
            machine = self.name(),
            "Terminal is ready; Ctrl-D ends the shell, Ctrl-] leaves it"
        );
        self.on_own_terminal(None).await.map(drop)
    }

    /// [`shell_interact`](Self::shell_interact) on other streams. The end of
    /// `input` is Ctrl-D to the shell.
    pub async fn shell_interact_on(
        &self,
        kind: &TerminalKind,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<()> {
        let session = self.on_terminal(None, fixed(kind), input, output);
        session.await.map(drop)
    }

    /// Runs a bash script in the guest on the terminal, without `set -e` and without a time
    /// limit, and returns how it ended; `None` if the user left it by Ctrl-].
    ///
    /// # Errors
    /// [`Terminal`](ErrorKind::Terminal), [`Shell`](ErrorKind::Shell).
    pub async fn run_on_terminal(&self, script: &str) -> Result<Option<Exit>> {
        self.connect().await?;
        self.on_own_terminal(Some(script)).await
    }

    /// [`run_on_terminal`](Self::run_on_terminal) on other streams. The end of `input` is
    /// Ctrl-D to the script.
    pub async fn run_on_terminal_on(
        &self,
        script: &str,
        kind: &TerminalKind,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<Exit> {
        let session = self.on_terminal(Some(script), fixed(kind), input, output);
        session.await
    }

    /// Opens the serial console on the terminal. Returns when the input ends. Meanwhile its
    /// lines are not [emitted](crate::Guest::serial_stdout_on).
    ///
    /// # Errors
    /// [`Terminal`](ErrorKind::Terminal), [`Console`](ErrorKind::Console).
    pub async fn console_interact(&self) -> Result<()> {
        let _hidden = HiddenConsole::new(self);
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

    /// Runs a script, or a shell, on this process's terminal: `None` if the user left it.
    async fn on_own_terminal(&self, script: Option<&str>) -> Result<Option<Exit>> {
        let mut terminal = self.terminal()?;
        let (kind, received) = watch::channel(kind_of(terminal.raw.as_ref()));
        let session = self.on_terminal(script, received, terminal.input, terminal.output);
        tokio::select! {
            result = session => result.map(Some),
            () = terminal.escape.typed() => Ok(None),
            never = follow_size(terminal.raw.as_ref(), kind) => match never {},
        }
    }

    async fn on_terminal(
        &self,
        script: Option<&str>,
        kind: watch::Receiver<TerminalKind>,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<Exit> {
        let doing = "using the shell on a terminal";
        let running = self.guest.running(doing)?;
        let session = async |shell: &mut GuestShell| {
            let ran = shell.run_on_terminal(script, kind, input, output);
            ran.await
        };
        running.gate.run(self, doing, session).await
    }

    fn terminal(&self) -> Result<Terminal> {
        Terminal::open().map_err(|error| self.error(ErrorKind::Terminal(error)))
    }
}

fn kind_of(raw: Option<&RawMode>) -> TerminalKind {
    let mut kind = TerminalKind::default();
    if let Some(size) = raw.and_then(RawMode::size) {
        (kind.rows, kind.columns) = (size.ws_row, size.ws_col);
        kind.term = std::env::var("TERM").unwrap_or(kind.term);
    }
    kind
}

/// A terminal whose size does not change.
fn fixed(kind: &TerminalKind) -> watch::Receiver<TerminalKind> {
    watch::channel(kind.clone()).1
}

/// Sends a terminal's size whenever it has changed.
async fn follow_size(raw: Option<&RawMode>, kind: watch::Sender<TerminalKind>) -> Infallible {
    if let (Some(raw), Ok(mut changes)) = (raw, signal(SignalKind::window_change())) {
        while changes.recv().await.is_some() {
            kind.send_replace(kind_of(Some(raw)));
        }
    }
    pending().await
}

/// Keeps console lines from being emitted while it lives: the user sees them already.
struct HiddenConsole {
    shows_serial: Arc<AtomicBool>,
    before: bool,
}

impl HiddenConsole {
    fn new(machine: &Machine) -> Self {
        let shows_serial = machine.shows_serial();
        let before = shows_serial.swap(false, Ordering::Relaxed);
        Self {
            shows_serial,
            before,
        }
    }
}

impl Drop for HiddenConsole {
    fn drop(&mut self) {
        self.shows_serial.store(self.before, Ordering::Relaxed);
    }
}
