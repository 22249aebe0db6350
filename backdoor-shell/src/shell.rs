//! `Shell`: the guest's root shell as an async client.

mod collect;
mod interact;
mod session;
mod write_file;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Framed;

use crate::codec::{Event, ShellCodec};
use crate::error::lost;
use crate::greeting::greets;
use crate::{Command, Error, Exit, Nonce, Output, Request, Signal};

pub use collect::MAX_OUTPUT;
pub use interact::TerminalKind;
pub use session::{NotASession, Session};
use write_file::Put;

/// How long a command has to tidy up after SIGTERM before SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long the guest has to tell that a command is gone after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// How much of the line is read at once.
const READ_BUFFER: usize = 64 * 1024;

/// A root shell in a guest, reached over any byte stream.
///
/// One command runs at a time, or one file is written. What a dropped future has
/// begun goes on in the guest until the next call, which first ends it: the shell
/// is in step always.
#[derive(Debug)]
pub struct Shell<T> {
    pub(crate) console: Framed<T, ShellCodec>,
    pub(crate) port: Option<Framed<T, ShellCodec>>,
    pub(crate) stage: Stage,
    /// The agent reads and writes the port, not the console.
    pub(crate) on_port: bool,
    /// What the guest has begun and not ended yet.
    pub(crate) running: Option<Running>,
    /// Its output has come damaged: what comes of it after that is not the rest.
    damaged: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Running {
    Command(Nonce),
    Put(Put),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The guest is still booting.
    Waiting,
    /// The greeting has come.
    Greeted,
    /// The agent was sent; its answer will carry the nonce, as will requests to it.
    Starting(Nonce),
    Ready(Nonce),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// A shell at the other end of `console`. Nothing is read or sent yet.
    pub fn new(console: T) -> Self {
        Self {
            console: framed(console),
            port: None,
            stage: Stage::Waiting,
            on_port: false,
            running: None,
            damaged: false,
        }
    }

    /// Adds the other end of a virtio port called [`PORT`](crate::PORT), which
    /// the agent will use in place of the console if the guest has it.
    ///
    /// Worth having with QEMU: it drops what a guest writes to a virtio console
    /// when this side is slow to read, but lets it wait at a port. Lines outside the protocol
    /// are the console's alone.
    #[must_use]
    pub fn with_port(mut self, port: T) -> Self {
        self.port = Some(framed(port));
        self
    }

    /// Whether [`connect`](Self::connect) has finished, and no other shell has greeted since.
    /// One that is gone without a word is only found out by using it.
    pub fn is_connected(&self) -> bool {
        matches!(self.stage, Stage::Ready(_))
    }

    /// Waits for the guest's [`GREETING`](crate::GREETING), passing each line it says on to
    /// `said`, and prepares its shell. Does nothing when that is done already.
    ///
    /// Waits without end: a guest that never boots is the caller's to judge.
    /// Cancel safe: a later call goes on where this one stopped.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Io`].
    pub async fn connect(&mut self, mut said: impl FnMut(&str)) -> Result<(), Error> {
        while !self.is_connected() {
            if self.stage == Stage::Greeted {
                let nonce = Nonce::random();
                self.stage = Stage::Starting(nonce);
                self.on_port = false;
                self.send(Request::Bootstrap(nonce), None, "connecting")
                    .await?;
            }
            // What an earlier call, dropped meanwhile, had begun to send.
            let sent = self.console.flush().await;
            sent.map_err(|error| lost(error, "connecting"))?;
            match self.event("waiting for its greeting").await? {
                (_, Event::Said(line)) => {
                    said(&line);
                    if greets(&line) {
                        self.stage = Stage::Greeted;
                    }
                }
                (on_port, Event::Ready(nonce)) if self.stage == Stage::Starting(nonce) => {
                    self.stage = Stage::Ready(nonce);
                    self.on_port = on_port;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets the guest's shell, because the guest reboots: the next
    /// [`connect`](Self::connect) waits for its next greeting.
    pub fn disconnect(&mut self) {
        self.reset(Stage::Waiting);
    }

    /// The shell is gone, and what was for it must not reach another: it might
    /// take it for commands.
    fn reset(&mut self, stage: Stage) {
        self.stage = stage;
        self.running = None;
        self.on_port = false;
        for line in self.port.iter_mut().chain([&mut self.console]) {
            line.write_buffer_mut().clear();
            line.codec_mut().reset();
        }
    }

    /// The error that `event` is to whatever runs: another shell greets.
    pub(crate) fn restarted(
        &mut self,
        event: &Event,
        doing: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        match event {
            Event::Said(line) if greets(line) => {
                self.reset(Stage::Greeted);
                Err(Error::Restarted { doing: doing() })
            }
            _ => Ok(()),
        }
    }

    /// Runs `command` and collects its output in memory, of at most [`MAX_OUTPUT`].
    ///
    /// Waits until the command's standard output is closed by all who hold it.
    /// Its standard input is empty. Cancel safe, see [`Shell`].
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Nul`], [`Error::TooMuch`]; [`Error::Closed`],
    /// [`Error::Io`], [`Error::Restarted`] and [`Error::Unresponsive`] of a shell that does
    /// not answer; [`Error::Encoder`] and [`Error::Damaged`] of output that is not whole. A
    /// command that fails or runs out of time is no error: see [`Output`].
    pub async fn run(&mut self, command: impl Into<Command>) -> Result<Output, Error> {
        self.collect(command.into(), MAX_OUTPUT).await
    }

    /// Runs `command` and passes its output on to `writer` as it comes, in
    /// memory that does not grow with it; the first of it after a second, unless it is 512
    /// bytes or more. The time that the writer takes counts as the command's, and has no
    /// limit of its own.
    ///
    /// # Errors
    /// As [`run`](Self::run), with [`Error::Write`] in place of [`Error::TooMuch`].
    pub async fn run_into<W>(
        &mut self,
        command: impl Into<Command>,
        writer: &mut W,
    ) -> Result<Exit, Error>
    where
        W: AsyncWrite + Unpin,
    {
        let command = command.into();
        if command.script().contains('\0') {
            return Err(Error::Nul {
                command: command.script().replace('\0', "\\0"),
            });
        }
        let session = self.settle().await?;

        let script = command.script();
        let nonce = Nonce::random();
        let deadline = command
            .time_limit()
            .and_then(|limit| Instant::now().checked_add(limit));
        self.running = Some(Running::Command(nonce));
        self.damaged = false;
        self.send(
            Request::Run {
                session,
                nonce,
                script,
            },
            deadline,
            script,
        )
        .await?;
        if let Some(status) = self.follow(nonce, script, deadline, writer).await? {
            return Ok(Exit::Status(status));
        }
        self.stop(session, nonce, script, writer).await?;
        Ok(Exit::TimedOut)
    }

    /// Ends what a dropped future has left in the guest, whose session it gives.
    pub(crate) async fn settle(&mut self) -> Result<Nonce, Error> {
        let Stage::Ready(session) = self.stage else {
            return Err(Error::NotConnected);
        };
        match self.running {
            None => {}
            Some(Running::Command(nonce)) => {
                let writer = &mut tokio::io::sink();
                self.stop(session, nonce, "an abandoned command", writer)
                    .await?;
            }
            Some(Running::Put(put)) => self.abandon(put).await?,
        }
        Ok(session)
    }

    /// Ends the command that runs as `nonce`, gently, then hard.
    async fn stop<W>(
        &mut self,
        session: Nonce,
        nonce: Nonce,
        command: &str,
        writer: &mut W,
    ) -> Result<(), Error>
    where
        W: AsyncWrite + Unpin,
    {
        for (signal, grace) in [(Signal::Term, TERM_GRACE), (Signal::Kill, KILL_GRACE)] {
            let deadline = Some(Instant::now() + grace);
            self.send(
                Request::Stop {
                    session,
                    nonce,
                    signal,
                },
                deadline,
                command,
            )
            .await?;
            match self.follow(nonce, command, deadline, writer).await {
                Ok(None) => {}
                // An output cut short is to be expected of a command cut short.
                Ok(Some(_)) | Err(Error::Encoder { .. } | Error::Damaged { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unresponsive { after: KILL_GRACE })
    }

    /// Passes the output of `nonce` on until its end, whose status it gives, or
    /// until the deadline.
    pub(crate) async fn follow<W>(
        &mut self,
        nonce: Nonce,
        command: &str,
        deadline: Option<Instant>,
        writer: &mut W,
    ) -> Result<Option<i32>, Error>
    where
        W: AsyncWrite + Unpin,
    {
        loop {
            // Only waiting is timed: what has come is written whole.
            let Some(event) = until(deadline, self.event(command)).await else {
                return Ok(None);
            };
            let (_, event) = event?;
            self.restarted(&event, || format!("running `{command}`"))?;
            match event {
                Event::Output(whose, bytes) if whose == nonce && !self.damaged => {
                    writer
                        .write_all(&bytes)
                        .await
                        .map_err(|error| Error::Write {
                            command: command.to_owned(),
                            source: Arc::new(error),
                        })?;
                }
                Event::Damaged(whose) if whose == nonce => self.damaged = true,
                Event::End {
                    nonce: whose,
                    status,
                    encoder,
                } if whose == nonce => {
                    self.running = None;
                    return match (encoder, self.damaged) {
                        (0, false) => Ok(Some(status)),
                        (0, true) => Err(Error::Damaged {
                            command: command.to_owned(),
                        }),
                        (status, _) => Err(Error::Encoder {
                            command: command.to_owned(),
                            status,
                        }),
                    };
                }
                // An earlier command's late output, or something else on the line.
                _ => {}
            }
        }
    }

    /// Sends a request, or gives up at the deadline: what is unsent then goes
    /// out, still whole and in order, before the next request.
    pub(crate) async fn send(
        &mut self,
        request: Request<'_>,
        deadline: Option<Instant>,
        doing: &str,
    ) -> Result<(), Error> {
        match until(deadline, self.line().send(request)).await {
            Some(Err(error)) => Err(lost(error, doing)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Where the agent is, or where it is to come.
    pub(crate) fn line(&mut self) -> &mut Framed<T, ShellCodec> {
        match &mut self.port {
            Some(port) if self.on_port => port,
            _ => &mut self.console,
        }
    }

    /// The next event, and whether it came by the port.
    pub(crate) async fn event(&mut self, doing: &str) -> Result<(bool, Event), Error> {
        poll_fn(|cx| self.poll_event(cx, || doing.to_owned())).await
    }

    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        doing: impl FnOnce() -> String,
    ) -> Poll<Result<(bool, Event), Error>> {
        let by_port = loop {
            match self.port.as_mut().map(|port| port.poll_next_unpin(cx)) {
                None => break Poll::Pending,
                // No shell greets there: it is what is left of output that was cut.
                Some(Poll::Ready(Some(Ok(Event::Said(_))))) => {}
                Some(by_port) => break by_port,
            }
        };
        let (on_port, next) = match by_port {
            Poll::Ready(next) => (true, next),
            // The console has its say, too: a shell that is restarted greets there.
            Poll::Pending => (false, ready!(self.console.poll_next_unpin(cx))),
        };
        Poll::Ready(match next {
            Some(Ok(event)) => Ok((on_port, event)),
            Some(Err(error)) => Err(lost(error, &doing())),
            None => Err(Error::Closed { doing: doing() }),
        })
    }
}

fn framed<T: AsyncRead + AsyncWrite>(stream: T) -> Framed<T, ShellCodec> {
    Framed::with_capacity(stream, ShellCodec::default(), READ_BUFFER)
}

/// The future's value, or `None` at the deadline, if there is one.
async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        // A future that is always ready (a flood of output) has a deadline too.
        Some(deadline) if deadline <= Instant::now() => None,
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
