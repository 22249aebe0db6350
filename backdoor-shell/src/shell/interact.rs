//! A terminal session in the guest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tokio_util::codec::Framed;

use super::Shell;
use crate::codec::{Event, ShellCodec};
use crate::error::io_error;
use crate::quote::ansi_c;
use crate::{Error, Exit, Nonce, Request};

/// The properties of the host's terminal that the guest's takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it with a few of its fields"
)]
pub struct TerminalKind {
    /// The terminal's name in terminfo, for `$TERM`.
    pub term: String,
    /// The number of rows.
    pub rows: u16,
    /// The number of columns.
    pub columns: u16,
}

impl Default for TerminalKind {
    /// A `vt220` of 24 rows and 80 columns.
    fn default() -> Self {
        Self {
            term: "vt220".to_owned(),
            rows: 24,
            columns: 80,
        }
    }
}

/// How long the console may be silent before its output is taken to be complete: the
/// session's end arrives at the port, independently.
const OUTPUT_IDLE: Duration = Duration::from_millis(100);

/// How many bytes are copied at once.
const PIECE: usize = 4096;

/// How long output is passed on after the end, should other processes keep writing.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

/// End of input, as typed on a terminal.
const CTRL_D: u8 = 4;

/// The interval at which Ctrl-D is repeated until the session ends.
const CTRL_D_INTERVAL: Duration = Duration::from_millis(500);

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Runs an interactive bash on the guest's console as its terminal, and connects it to
    /// `input` and `output` until it exits: with job control, line editing and everything
    /// else that a terminal offers. At the end of `input`, bash receives Ctrl-D.
    ///
    /// Requires that the agent uses [the port](Self::with_port), which leaves the console
    /// free.
    ///
    /// # Errors
    /// [`Error::NoTerminal`] without a port; [`Error::Terminal`] if `input` or `output`
    /// fails; otherwise as [`run`](Self::run).
    ///
    /// # Cancel safety
    /// The next call hangs bash up, as it does after an error of `input` or `output`.
    pub async fn interact<R, W>(
        &mut self,
        kind: &TerminalKind,
        input: R,
        output: W,
    ) -> Result<(), Error>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        // It never changes.
        let (_, terminal) = watch::channel(kind.clone());
        let session = self.run_on_terminal(None, terminal, input, output);
        session.await.map(drop)
    }

    /// Like [`interact`](Self::interact), but runs a bash script, without `set -e`, if there
    /// is one, and returns how it ended. The size of the guest's terminal follows that of
    /// `terminal`.
    ///
    /// # Errors
    /// As [`interact`](Self::interact).
    ///
    /// # Cancel safety
    /// As [`interact`](Self::interact).
    pub async fn run_on_terminal<R, W>(
        &mut self,
        script: Option<&str>,
        mut terminal: watch::Receiver<TerminalKind>,
        input: R,
        mut output: W,
    ) -> Result<Exit, Error>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let doing = "using it interactively";
        let session = self.finish_abandoned(doing).await?;
        if self.link.free_console().is_none() {
            return Err(Error::NoTerminal);
        }
        let nonce = self.start_command();
        let script = session_script(&terminal.borrow_and_update(), script);
        let request = Request::Run {
            session,
            nonce,
            script: &script,
        };
        self.link.send(request, None, doing).await?;

        let (console, port) = self.link.free_console().ok_or(Error::NoTerminal)?;
        let (mut from_guest, mut to_guest) = tokio::io::split(console);
        let dialogue = async {
            // Bash may discard input that arrives before its prompt.
            show(&mut from_guest, &mut output).await?;
            let shown = async {
                loop {
                    show(&mut from_guest, &mut output).await?;
                }
            };
            tokio::select! {
                end = type_in(input, &mut to_guest) => end,
                end = shown => end,
            }
        };
        let status = tokio::select! {
            biased;
            end = end_of(port, session, nonce, terminal) => {
                end.map_err(|error| io_error(error, doing))?
            }
            // Bash still runs: the next call stops it.
            Err(end) = dialogue => return Err(end.error(doing)),
        };
        self.in_flight = None;
        // Its last output may arrive after its end.
        let remaining = async {
            while let Ok(Ok(())) = timeout(OUTPUT_IDLE, show(&mut from_guest, &mut output)).await {}
        };
        let _ = timeout(OUTPUT_LIMIT, remaining).await;
        Ok(Exit::Status(status))
    }
}

/// What has failed while bash was running.
enum Broken {
    /// The guest's console.
    Guest(io::Error),
    /// The caller's input or output, for example a closed terminal.
    Host(io::Error),
}

impl Broken {
    fn error(self, doing: &str) -> Error {
        match self {
            Self::Guest(error) => io_error(error, doing),
            Self::Host(error) => Error::Terminal {
                source: Arc::new(error),
            },
        }
    }
}

fn session_script(kind: &TerminalKind, script: Option<&str>) -> String {
    let TerminalKind {
        term,
        rows,
        columns,
    } = kind;
    // A carriage return is shown before the script reads: the first input waits for it.
    let program = script.map_or("-il".to_owned(), |script| {
        format!("-c {}", ansi_c(format!("printf '\\r'\n{script}")))
    });
    // - `read`: discards what was typed for an earlier session.
    // - `trap '' TTOU`: the console may be the agent's controlling terminal; a background
    //   process that changes its mode would be stopped.
    // - `trap - INT QUIT`: bash makes background processes ignore them.
    // - Several HUPs: bash loses a signal that arrives just before it calls `exec`.
    // - The second `exec`: a session leader's exit hangs the terminal up.
    format!(
        "exec 0<>/dev/hvc0 1>&0 2>&1
        while read -rt 0; do read -rN 1 -t 1 || :; done
        (trap '' TTOU; stty sane rows {rows} columns {columns})
        (trap - INT QUIT; TERM={} exec setsid -c \"$BASH\" {program}) <&0 &
        bash=$! hung_up= status=0
        trap hung_up=1 TERM
        wait $bash || status=$?
        for signal in HUP HUP HUP HUP KILL; do
            [[ $hung_up ]] && kill -$signal $bash || break
            sleep 0.1
        done
        exec 0<>/dev/hvc0 1>&0 2>&1
        (trap '' TTOU; stty raw -echo)
        exit $status",
        ansi_c(term)
    )
}

/// Waits for the end of the command `nonce`, and returns its status. Meanwhile, changes the
/// terminal's size.
async fn end_of<T: AsyncRead + AsyncWrite + Unpin>(
    port: &mut Framed<T, ShellCodec>,
    session: Nonce,
    nonce: Nonce,
    mut terminal: watch::Receiver<TerminalKind>,
) -> io::Result<i32> {
    loop {
        let event = tokio::select! {
            event = port.next() => event.ok_or(io::ErrorKind::BrokenPipe)??,
            // Without a sender, it never changes.
            Ok(()) = terminal.changed() => {
                let TerminalKind { rows, columns, .. } = *terminal.borrow_and_update();
                let resize = Request::Resize {
                    session,
                    rows,
                    columns,
                };
                port.send(resize).await?;
                continue;
            }
        };
        match event {
            Event::End {
                nonce: id, status, ..
            } if id == nonce => return Ok(status),
            _ => {}
        }
    }
}

/// Copies input, then repeats Ctrl-D. Only returns on an error.
async fn type_in(
    mut input: impl AsyncRead + Unpin,
    guest: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    loop {
        let typed = input.read(&mut buffer).await.map_err(Broken::Host)?;
        if typed == 0 {
            break;
        }
        write(guest, &buffer[..typed])
            .await
            .map_err(Broken::Guest)?;
    }
    // Repeated: the prompt discards a Ctrl-D that was typed while a command ran.
    let mut interval = interval(CTRL_D_INTERVAL);
    loop {
        interval.tick().await;
        write(guest, &[CTRL_D]).await.map_err(Broken::Guest)?;
    }
}

/// Copies the guest's next output.
async fn show(
    guest: &mut (impl AsyncRead + Unpin),
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    let length = guest.read(&mut buffer).await.map_err(Broken::Guest)?;
    if length == 0 {
        return Err(Broken::Guest(io::ErrorKind::BrokenPipe.into()));
    }
    write(output, &buffer[..length]).await.map_err(Broken::Host)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}
