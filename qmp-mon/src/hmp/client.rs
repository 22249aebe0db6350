//! The client of the human monitor.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::Framed;

use super::codec::{HmpCodec, HmpEvent, MAX_REPLY};
use super::command::HmpCommand;
use crate::connection::{self, Session};
use crate::error::{CloseReason, SharedCloseReason};
use crate::{Error, Version, unix_socket};

/// A handle of a human monitor. Clones share the connection.
///
/// A background task reads and writes. It ends and closes the connection when
/// the last handle is dropped or the monitor closes.
#[derive(Clone, Debug)]
pub struct Hmp {
    requests: mpsc::Sender<Request>,
    close_reason: SharedCloseReason,
    version: Version,
}

#[derive(Debug)]
struct Request {
    command: HmpCommand,
    reply: oneshot::Sender<Result<String, Error>>,
}

impl Hmp {
    /// Waits for QEMU's greeting on `stream`: a unix socket, usually.
    ///
    /// There is no time limit: a QEMU that serves another client accepts the
    /// connection but sends nothing. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the peer is not a human monitor,
    /// [`Error::Closed`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect<T>(stream: T) -> Result<Self, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Random, so that replies cannot contain their own end marker.
        let seed = RandomState::new().hash_one(());
        let mut monitor = Framed::new(stream, HmpCodec::new(seed));
        let version = greeting(&mut monitor)
            .await
            .map_err(|reason| reason.error_while("waiting for the monitor's greeting"))?;

        let (requests, queue) = mpsc::channel(16);
        let close_reason = SharedCloseReason::default();
        let session = HmpSession { current: None };
        tokio::spawn(connection::run(
            monitor,
            session,
            queue,
            close_reason.clone(),
        ));
        Ok(Self {
            requests,
            close_reason,
            version,
        })
    }

    /// Waits at most `limit` until QEMU has created the unix socket at `path`, then
    /// [connects](Self::connect), within the same limit.
    ///
    /// # Errors
    /// [`Error::NoConnection`], otherwise as [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect_unix(path: impl AsRef<Path>, limit: Duration) -> Result<Self, Error> {
        unix_socket::connect_unix(path.as_ref(), limit, Self::connect).await
    }

    /// QEMU's version, such as 7.2.22. HMP does not report the package.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Runs a command and returns its reply, without echo and prompt, with lines
    /// ending in `\n`.
    ///
    /// The human monitor reports failures only in the reply's text, such as
    /// `unknown command: 'foo'`, which is an `Ok` here. Use [`Qmp`](crate::Qmp)
    /// to detect failures.
    ///
    /// Concurrent commands run one after the other. There is no time limit.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for a line that cannot be typed verbatim,
    /// [`Error::ReplyTooLong`] beyond [`MAX_REPLY`] bytes,
    /// [`Error::PasswordPrompt`], and [`Error::Closed`] or [`Error::Io`] once
    /// the connection is closed, as `quit` does.
    ///
    /// # Cancel safety
    /// Dropping the future does not affect other commands: the reply is received
    /// and discarded. The command still runs, unless it was still queued.
    pub async fn command(&self, line: &str) -> Result<String, Error> {
        let command = HmpCommand::new(line)?;
        let (reply, answer) = oneshot::channel();
        let closed = || self.closed_while(format!("running the monitor command `{line}`"));
        self.requests
            .send(Request { command, reply })
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Waits until the connection is closed, and returns the reason.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Error {
        self.requests.closed().await;
        self.closed_while("waiting for its end".into())
    }

    fn closed_while(&self, doing: String) -> Error {
        self.close_reason.get().error_while(doing)
    }
}

async fn greeting<T>(monitor: &mut Framed<T, HmpCodec>) -> Result<Version, CloseReason>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let expected = "`QEMU … monitor - type 'help' for more information`";
    match monitor.next().await {
        Some(Ok(HmpEvent::Greeting { version })) => {
            Version::parse(&version).ok_or_else(|| CloseReason::protocol(expected, &version))
        }
        Some(Ok(HmpEvent::NotAGreeting { line })) => Err(CloseReason::protocol(expected, &line)),
        Some(Ok(HmpEvent::Cut { text })) => Err(CloseReason::Closed { seen: text }),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(_)) | None => Err(CloseReason::closed()),
    }
}

/// The command in progress. One is sent at a time, because a password prompt would read the
/// next command as the password.
struct HmpSession {
    current: Option<Request>,
}

impl Session for HmpSession {
    type Request = Request;
    type Command = HmpCommand;
    type Message = HmpEvent;

    fn is_ready(&self) -> bool {
        self.current.is_none()
    }

    fn start(&mut self, request: Request) -> Option<HmpCommand> {
        if request.reply.is_closed() {
            return None;
        }
        let command = request.command.clone();
        self.current = Some(request);
        Some(command)
    }

    fn receive(&mut self, event: HmpEvent) -> Result<Option<HmpCommand>, CloseReason> {
        match event {
            HmpEvent::Reply { text } => self.answer(|_| Ok(text)),
            HmpEvent::ReplyTooLong => {
                self.answer(|command| {
                    Err(Error::ReplyTooLong {
                        command,
                        limit: MAX_REPLY,
                    })
                });
            }
            HmpEvent::PasswordPrompt => {
                self.answer(|command| Err(Error::PasswordPrompt { command }));
                // Only a line ends the prompt. Its reply is discarded.
                let (discarded, _) = oneshot::channel();
                self.current = Some(Request {
                    command: HmpCommand::default(),
                    reply: discarded,
                });
                return Ok(Some(HmpCommand::default()));
            }
            HmpEvent::Cut { text } => return Err(CloseReason::Closed { seen: text }),
            HmpEvent::Greeting { .. } | HmpEvent::NotAGreeting { .. } => {}
        }
        Ok(None)
    }

    fn close(mut self, reason: &CloseReason) {
        self.answer(|command| {
            let doing = format!("waiting for the reply to `{command}`");
            Err(reason.clone().error_while(doing))
        });
    }
}

impl HmpSession {
    fn answer(&mut self, answer: impl FnOnce(String) -> Result<String, Error>) {
        if let Some(Request { command, reply }) = self.current.take() {
            // Fails if the caller was dropped.
            let _ = reply.send(answer(command.as_str().to_owned()));
        }
    }
}
