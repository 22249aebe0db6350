//! A terminal session in the guest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{interval, timeout};
use tokio_util::codec::Framed;

use crate::codec::{Event, ShellCodec};
use crate::error::lost;
use crate::quote::ansi_c;
use crate::shell::Running;
use crate::{Error, Nonce, Request, Shell};

/// What the guest's terminal is to know about ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalKind {
    /// Its name in terminfo, as in `$TERM`.
    pub term: String,
    /// How many rows it has.
    pub rows: u16,
    /// How many columns it has.
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

/// How long what was said last may be on its way: it comes by another line than
/// the news of the end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How much is passed on at once.
const PIECE: usize = 4096;

/// How long all of that is passed on, of a guest in which somebody goes on to write.
const MANY_WORDS: Duration = Duration::from_secs(5);

/// End of input, as typed on a terminal.
const CTRL_D: u8 = 4;

/// How often it is typed until the session ends.
const CTRL_D_AGAIN: Duration = Duration::from_millis(500);

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Runs an interactive bash on the guest's console, its terminal, and joins
    /// that with `input` and `output` until it exits: with job control, line
    /// editing, and whatever else a terminal offers. The end of `input` is
    /// Ctrl-D to it.
    ///
    /// The console is free for that once the agent uses [the
    /// port](Self::with_port).
    ///
    /// # Errors
    /// [`Error::NoTerminal`] without a port; [`Error::Terminal`] if `input` or `output`
    /// fails; as [`run`](Self::run).
    ///
    /// # Cancel safety
    /// If the future is dropped, or its terminal fails, the bash is hung up before the next
    /// command.
    pub async fn interact<R, W>(
        &mut self,
        kind: &TerminalKind,
        input: R,
        mut output: W,
    ) -> Result<(), Error>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let doing = "using it interactively";
        let session = self.settle().await?;
        if !self.on_port {
            return Err(Error::NoTerminal);
        }
        let nonce = Nonce::random();
        self.running = Some(Running::Command(nonce));
        let script = session_script(kind);
        let request = Request::Run {
            session,
            nonce,
            script: &script,
        };
        self.send(request, None, doing).await?;

        let (console, Some(port)) = (&mut self.console, &mut self.port) else {
            return Err(Error::NoTerminal);
        };
        let (mut from_guest, mut to_guest) = tokio::io::split(console.get_mut());
        let session = async {
            // What is typed before its prompt, bash may throw away.
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
        tokio::select! {
            biased;
            end = end_of(port, nonce) => end.map_err(|error| lost(error, doing))?,
            // The bash is still there, for the next command to end.
            Err(end) = session => return Err(end.error(doing)),
        }
        self.running = None;
        // What it said at last is on its way still, or here already.
        let last_words = async {
            while let Ok(Ok(())) = timeout(LAST_WORDS, show(&mut from_guest, &mut output)).await {}
        };
        let _ = timeout(MANY_WORDS, last_words).await;
        Ok(())
    }
}

/// Why a session has ended that its bash has not.
enum Broken {
    /// The guest's console failed.
    Guest(io::Error),
    /// Our end did: the terminal is closed, say.
    Ours(io::Error),
}

impl Broken {
    fn error(self, doing: &str) -> Error {
        match self {
            Self::Guest(error) => lost(error, doing),
            Self::Ours(error) => Error::Terminal {
                source: Arc::new(error),
            },
        }
    }
}

fn session_script(kind: &TerminalKind) -> String {
    let TerminalKind {
        term,
        rows,
        columns,
    } = kind;
    // The console may be the agent's controlling terminal, whose mode a process
    // in the background is stopped for changing unless it ignores that signal.
    // In the background bash would have it ignore Ctrl-C.
    // What is there to be read already was typed for a session before.
    // A session leader that ends hangs its terminal up: hence opened anew. That a
    // signal has arrived, bash forgets if it is about to become another program:
    // hence more than one.
    format!(
        "exec 0<>/dev/hvc0 1>&0 2>&1
        while read -rt 0; do read -rN 1 -t 1 || :; done
        (trap '' TTOU; stty sane rows {rows} columns {columns})
        (trap - INT QUIT; TERM={} exec setsid -c bash -il) <&0 &
        bash=$! hung_up=
        trap hung_up=1 TERM
        wait || :
        for signal in HUP HUP HUP HUP KILL; do
            [[ $hung_up ]] && kill -$signal $bash || break
            sleep 0.1
        done
        exec 0<>/dev/hvc0 1>&0 2>&1
        (trap '' TTOU; stty raw -echo)",
        ansi_c(term)
    )
}

/// Waits for the end of what runs as `nonce`.
async fn end_of<T: AsyncRead + AsyncWrite + Unpin>(
    port: &mut Framed<T, ShellCodec>,
    nonce: Nonce,
) -> io::Result<()> {
    while let Some(event) = port.next().await {
        if matches!(event?, Event::End { nonce: whose, .. } if whose == nonce) {
            return Ok(());
        }
    }
    Err(io::ErrorKind::BrokenPipe.into())
}

/// Never returns but for an error: the session goes on after the input's end.
async fn type_in(
    mut input: impl AsyncRead + Unpin,
    guest: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    loop {
        let typed = input.read(&mut buffer).await.map_err(Broken::Ours)?;
        if typed == 0 {
            break;
        }
        write(guest, &buffer[..typed])
            .await
            .map_err(Broken::Guest)?;
    }
    // One that is typed while a command runs is lost on the next prompt.
    let mut again = interval(CTRL_D_AGAIN);
    loop {
        again.tick().await;
        write(guest, &[CTRL_D]).await.map_err(Broken::Guest)?;
    }
}

/// Passes on what the guest says next.
async fn show(
    guest: &mut (impl AsyncRead + Unpin),
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    let said = guest.read(&mut buffer).await.map_err(Broken::Guest)?;
    if said == 0 {
        return Err(Broken::Guest(io::ErrorKind::BrokenPipe.into()));
    }
    write(output, &buffer[..said]).await.map_err(Broken::Ours)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}
