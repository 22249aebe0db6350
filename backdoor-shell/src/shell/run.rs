//! `Shell::run` and `Shell::run_into`: a command and its output.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::collect::{Limited, MAX_OUTPUT};
use super::link::before;
use super::{InFlight, Shell, Stage};
use crate::codec::Event;
use crate::{Command, Error, Exit, Nonce, Output, Request, Signal};

/// How long a command may take to exit after SIGTERM before it gets SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long the guest may take to report a command's end after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// A command whose end has not arrived yet.
#[derive(Clone, Copy)]
struct Running<'a> {
    nonce: Nonce,
    /// Its script.
    command: &'a str,
    /// The operation in progress, for errors.
    doing: &'a str,
}

/// The longest list of processes that is accepted from the guest, in bytes.
const MAX_HOLDERS: usize = 4096;

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Runs `command` and collects its output in memory, at most [`MAX_OUTPUT`] bytes.
    ///
    /// Waits until all processes that hold the command's standard output have closed it.
    /// Standard input is empty. A command that fails or exceeds its time limit is not an
    /// error, see [`Output`].
    ///
    /// # Errors
    /// - The command can't be sent: [`Error::NotConnected`], [`Error::Nul`].
    /// - The shell doesn't answer: [`Error::Closed`], [`Error::Io`], [`Error::Restarted`],
    ///   [`Error::Unresponsive`].
    /// - The output isn't complete: [`Error::Encoder`], [`Error::Damaged`],
    ///   [`Error::TooMuch`].
    ///
    /// # Cancel safety
    /// The output is lost. The next call stops the command, see [`Shell`].
    pub async fn run(&mut self, command: impl Into<Command>) -> Result<Output, Error> {
        self.collect(command.into(), MAX_OUTPUT).await
    }

    /// Runs `command` and passes its output to `writer` as it arrives, in constant memory.
    ///
    /// The guest holds back the first 511 bytes for up to a second. Time spent in `writer`
    /// counts as the command's, and is not limited by the command's time limit.
    ///
    /// # Errors
    /// As [`run`](Self::run), with [`Error::Write`] in place of [`Error::TooMuch`].
    ///
    /// # Cancel safety
    /// `writer` has received the beginning of the output. The next call stops the command,
    /// see [`Shell`].
    pub async fn run_into<W>(
        &mut self,
        command: impl Into<Command>,
        writer: &mut W,
    ) -> Result<Exit, Error>
    where
        W: AsyncWrite + Unpin,
    {
        let command = command.into();
        let script = command.script();
        if script.contains('\0') {
            return Err(Error::Nul {
                command: script.replace('\0', "\\0"),
            });
        }
        let doing = format!("running `{script}`");
        let session = self.finish_abandoned(&doing).await?;

        let deadline = command
            .time_limit()
            .and_then(|limit| Instant::now().checked_add(limit));
        let nonce = self.start_command();
        let request = Request::Run {
            session,
            nonce,
            script,
        };
        self.link.send(request, deadline, &doing).await?;
        let running = Running {
            nonce,
            command: script,
            doing: &doing,
        };
        if let Some(status) = self.follow(running, deadline, writer).await? {
            return Ok(Exit::Status(status));
        }
        self.stop(session, running, writer).await?;
        Ok(match self.output_holders(session).await {
            Some(by) => Exit::OutputHeld { by },
            None => Exit::TimedOut,
        })
    }

    /// Asks which processes held the output of the command that was just stopped, if it had
    /// exited before.
    async fn output_holders(&mut self, session: Nonce) -> Option<String> {
        let nonce = self.start_command();
        let deadline = Some(Instant::now() + KILL_GRACE);
        let request = Request::Holders { session, nonce };
        let bytes = Vec::new();
        let limit = MAX_HOLDERS;
        let mut text = Limited { bytes, limit };
        let running = Running {
            nonce,
            command: "",
            doing: "asking for processes",
        };
        self.link
            .send(request, deadline, running.doing)
            .await
            .ok()?;
        self.follow(running, deadline, &mut text).await.ok()?;
        let text = String::from_utf8_lossy(&text.bytes);
        (!text.is_empty()).then(|| text.into_owned())
    }

    /// Notes that a command is in flight, before any of it is sent.
    pub(super) fn start_command(&mut self) -> Nonce {
        let nonce = Nonce::random();
        let damaged = false;
        self.in_flight = Some(InFlight::Command { nonce, damaged });
        nonce
    }

    /// Stops what a dropped future has left running in the guest. Returns the session.
    /// Errors name what the caller is `doing`.
    pub(super) async fn finish_abandoned(&mut self, doing: &str) -> Result<Nonce, Error> {
        if self.link.is_closed() {
            let doing = doing.to_owned();
            return Err(Error::Closed { doing });
        }
        let Stage::Ready(session) = self.stage else {
            return Err(Error::NotConnected);
        };
        match self.in_flight {
            None => {}
            Some(InFlight::Command { nonce, .. }) => {
                let abandoned = Running {
                    nonce,
                    command: "an earlier command",
                    doing,
                };
                let writer = &mut tokio::io::sink();
                self.stop(session, abandoned, writer).await?;
            }
            Some(InFlight::Upload(upload)) => self.finish_upload(upload, doing).await?,
        }
        Ok(session)
    }

    /// Stops the command: SIGTERM, then SIGKILL.
    async fn stop<W>(
        &mut self,
        session: Nonce,
        running: Running<'_>,
        writer: &mut W,
    ) -> Result<(), Error>
    where
        W: AsyncWrite + Unpin,
    {
        for (signal, grace) in [(Signal::Term, TERM_GRACE), (Signal::Kill, KILL_GRACE)] {
            let deadline = Some(Instant::now() + grace);
            let request = Request::Stop {
                session,
                nonce: running.nonce,
                signal,
            };
            self.link.send(request, deadline, running.doing).await?;
            match self.follow(running, deadline, writer).await {
                Ok(None) => {}
                // The output of a killed command may well be incomplete.
                Ok(Some(_)) | Err(Error::Encoder { .. } | Error::Damaged { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unresponsive { after: KILL_GRACE })
    }

    /// Passes the command's output on until its end. Returns its status, or `None` at the
    /// deadline.
    async fn follow<W>(
        &mut self,
        running: Running<'_>,
        deadline: Option<Instant>,
        writer: &mut W,
    ) -> Result<Option<i32>, Error>
    where
        W: AsyncWrite + Unpin,
    {
        let Running {
            nonce,
            command,
            doing,
        } = running;
        loop {
            // Only waiting is limited: what has arrived is written completely.
            let Some(event) = before(deadline, self.link.event(doing)).await else {
                return Ok(None);
            };
            let (line, event) = event?;
            self.check_restart((line, &event), || doing.to_owned())?;
            match event {
                Event::Output(id, bytes) if id == nonce && !self.is_damaged() => {
                    let written = writer.write_all(&bytes).await;
                    written.map_err(|error| Error::Write {
                        command: command.to_owned(),
                        source: Arc::new(error),
                    })?;
                }
                Event::Damaged(id) if id == nonce => {
                    let damaged = true;
                    self.in_flight = Some(InFlight::Command { nonce, damaged });
                }
                Event::End {
                    nonce: id,
                    status,
                    encoder,
                } if id == nonce => {
                    let damaged = self.is_damaged();
                    self.in_flight = None;
                    return exit_status(command, status, encoder, damaged).map(Some);
                }
                // Late output of an earlier command, or unrelated output.
                _ => {}
            }
        }
    }

    fn is_damaged(&self) -> bool {
        matches!(
            self.in_flight,
            Some(InFlight::Command { damaged: true, .. })
        )
    }
}

/// The command's status, if all its output has arrived.
fn exit_status(command: &str, status: i32, encoder: i32, damaged: bool) -> Result<i32, Error> {
    let command = || command.to_owned();
    match (encoder, damaged) {
        (0, false) => Ok(status),
        (0, true) => Err(Error::Damaged { command: command() }),
        (status, _) => Err(Error::Encoder {
            command: command(),
            status,
        }),
    }
}
