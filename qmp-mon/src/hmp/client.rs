//! A client of the human monitor, over any stream.

use std::hash::{BuildHasher as _, RandomState};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::Framed;

use super::codec::{HmpCodec, HmpEvent, MAX_REPLY};
use super::command::HmpCommand;
use crate::Error;
use crate::error::{Ended, Epitaph};

/// A handle on a human monitor. Clones share the connection.
///
/// A task of its own does the reading and writing; it ends, and closes the
/// connection, when the last handle is dropped or the monitor closes.
#[derive(Clone, Debug)]
pub struct Hmp {
    requests: mpsc::Sender<Request>,
    epitaph: Epitaph,
    version: String,
}

#[derive(Debug)]
struct Request {
    command: HmpCommand,
    reply: oneshot::Sender<Result<String, Error>>,
}

impl Hmp {
    /// Waits for QEMU's greeting on `stream`: a unix socket, usually.
    ///
    /// There is no time limit: a QEMU that serves another client already
    /// accepts the connection and says nothing. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Protocol`] if something else than a human monitor is there,
    /// [`Error::Closed`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// A dropped call closes the connection.
    pub async fn connect<T>(stream: T) -> Result<Self, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Drawn by chance, so that no reply can foresee the marks around it.
        let seed = RandomState::new().hash_one(());
        let mut monitor = Framed::new(stream, HmpCodec::new(seed));
        let version = greeting(&mut monitor)
            .await
            .map_err(|ended| ended.during("waiting for the monitor's greeting"))?;

        let (requests, queue) = mpsc::channel(16);
        let epitaph = Epitaph::default();
        let (sink, stream) = monitor.split();
        let task = Task {
            sink,
            stream,
            current: None,
            unflushed: false,
        };
        tokio::spawn(task.run(queue, epitaph.clone()));
        Ok(Self {
            requests,
            epitaph,
            version,
        })
    }

    /// QEMU's version, such as `7.2.22`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Sends a command line and gives its reply: the reply alone, its lines
    /// ending in `\n`; empty when QEMU has nothing to say.
    ///
    /// The human monitor tells of failure in its reply's text only, such as
    /// `unknown command: 'foo'`: that is an `Ok` here. Use [`Qmp`](crate::Qmp)
    /// where success must be known.
    ///
    /// Commands from several tasks are run one after the other. There is no
    /// time limit.
    ///
    /// # Errors
    /// [`Error::BadCommand`] at once for a line that can't be typed as it is,
    /// [`Error::ReplyTooLong`] beyond [`MAX_REPLY`] bytes,
    /// [`Error::PasswordPrompt`], and [`Error::Closed`] or [`Error::Io`] once
    /// the monitor is gone: that is how `quit` ends, too.
    ///
    /// # Cancel safety
    /// A dropped call never brings the next one out of step: its reply is
    /// awaited and dropped. The command itself is run all the same, unless it
    /// was still waiting for its turn.
    pub async fn command(&self, line: &str) -> Result<String, Error> {
        let command = HmpCommand::new(line)?;
        let (reply, answer) = oneshot::channel();
        let gone = || self.gone(format!("running the monitor command `{line}`"));
        self.requests
            .send(Request { command, reply })
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits until the monitor is gone, and says why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Error {
        self.requests.closed().await;
        self.gone("waiting for its end".into())
    }

    fn gone(&self, doing: String) -> Error {
        self.epitaph.read().during(doing)
    }
}

async fn greeting<T>(monitor: &mut Framed<T, HmpCodec>) -> Result<String, Ended>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    match monitor.next().await {
        Some(Ok(HmpEvent::Greeting { version })) => Ok(version),
        Some(Ok(HmpEvent::NotAGreeting { line })) => Err(Ended::protocol(
            "`QEMU … monitor - type 'help' for more information`",
            &line,
        )),
        Some(Ok(HmpEvent::Cut { text })) => Err(Ended::Closed { seen: text }),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(_)) | None => Err(Ended::closed()),
    }
}

/// What reads and writes: one command at a time, for bytes typed ahead of a
/// password prompt would be taken for the password.
struct Task<T> {
    sink: SplitSink<Framed<T, HmpCodec>, HmpCommand>,
    stream: SplitStream<Framed<T, HmpCodec>>,
    current: Option<Request>,
    unflushed: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Task<T> {
    async fn run(mut self, mut queue: mpsc::Receiver<Request>, epitaph: Epitaph) {
        let ended = self.serve(&mut queue).await.unwrap_or_else(|ended| ended);
        // Before any waiter can ask for it: they wake when the queue goes.
        epitaph.write(ended.clone());
        self.answer(|command| Err(ended.during(format!("waiting for the reply to `{command}`"))));
    }

    /// Until all handles are dropped (`Ok`), or the monitor fails (`Err`).
    async fn serve(&mut self, queue: &mut mpsc::Receiver<Request>) -> Result<Ended, Ended> {
        loop {
            tokio::select! {
                request = queue.recv(), if self.current.is_none() => match request {
                    // Whoever asked for it went away before it was sent.
                    Some(request) if request.reply.is_closed() => {}
                    Some(request) => self.send(request).await?,
                    None => return Ok(Ended::closed()),
                },
                // Beside the reading: neither side may wait for the other to read first.
                flushed = self.sink.flush(), if self.unflushed => {
                    flushed?;
                    self.unflushed = false;
                }
                event = self.stream.next() => match event {
                    Some(event) => self.take(event?).await?,
                    None => return Err(Ended::closed()),
                },
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<(), Ended> {
        self.sink.feed(request.command.clone()).await?;
        self.unflushed = true;
        self.current = Some(request);
        Ok(())
    }

    async fn take(&mut self, event: HmpEvent) -> Result<(), Ended> {
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
                // Nothing but a line ends the prompt. What QEMU says to it is for nobody.
                let (nobody, _) = oneshot::channel();
                self.send(Request {
                    command: HmpCommand::default(),
                    reply: nobody,
                })
                .await?;
            }
            HmpEvent::Cut { text } => return Err(Ended::Closed { seen: text }),
            HmpEvent::Greeting { .. } | HmpEvent::NotAGreeting { .. } => {}
        }
        Ok(())
    }

    fn answer(&mut self, answer: impl FnOnce(String) -> Result<String, Error>) {
        if let Some(Request { command, reply }) = self.current.take() {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(answer(command.as_str().to_owned()));
        }
    }
}
