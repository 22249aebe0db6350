//! `Shell::write_file`: a file of any size into the guest.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;

use crate::error::lost;
use crate::shell::Running;
use crate::{Encoding, Error, Event, Nonce, Request, Shell};

/// How much of a file is sent at once. Each piece costs the guest a process or three,
/// and is held whole by it and by us.
const PIECE: usize = 1024 * 1024;

/// The longest reason of a guest's that is kept.
const MAX_REASON: usize = 4096;

/// How long the guest has to take the rest of a piece whose file was abandoned.
const END_GRACE: Duration = Duration::from_secs(30);

/// A file on its way, as the next call must know it if this one is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put {
    pub(crate) nonce: Nonce,
    encoding: Encoding,
    /// The guest waits for pieces. Before, a terminal might give them to bash.
    ready: bool,
    /// That no more pieces come is sent, or in the line's buffer.
    ended: bool,
}

/// What the guest has said of a file so far.
#[derive(Debug)]
struct Answer<'a> {
    path: &'a [u8],
    nonce: Nonce,
    reason: Vec<u8>,
    status: Option<i32>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Writes all that `reader` gives to `path` in the guest, byte for byte, and
    /// tells how much that was. The file is made, or emptied first; its directory
    /// must exist. A relative path is one of the guest's shell's own directory.
    ///
    /// Needs memory for two pieces of 1 MiB, however large the file. Has no time
    /// limit: a FIFO that nobody reads blocks the shell.
    ///
    /// Cancel safe in that the shell stays in step: the next call sends the rest
    /// of the piece that is on its way, and no more of the file. What the file then
    /// has is a beginning of what `reader` gave, and what else it gave is lost.
    ///
    /// # Errors
    /// [`Error::File`] if the guest can't write the file, [`Error::Read`] if
    /// `reader` fails, [`Error::NulInPath`]; and what a lost shell gives:
    /// [`Error::Closed`], [`Error::Io`], [`Error::Restarted`],
    /// [`Error::Unresponsive`], [`Error::NotConnected`]. The file may then be there
    /// in part.
    pub async fn write_file<R>(
        &mut self,
        path: impl AsRef<[u8]>,
        reader: &mut R,
    ) -> Result<u64, Error>
    where
        R: AsyncRead + Unpin,
    {
        let path = path.as_ref();
        if path.contains(&0) {
            return Err(Error::NulInPath {
                path: String::from_utf8_lossy(path).replace('\0', "\\0"),
            });
        }
        let session = self.settle().await?;

        let nonce = Nonce::random();
        let encoding = self.encoding();
        let put = Put {
            nonce,
            encoding,
            ready: false,
            ended: false,
        };
        self.running = Some(Running::Put(put));
        self.feed(Request::Put {
            session,
            nonce,
            encoding,
            path,
        });

        let mut answer = Answer::to(path, nonce);
        self.until_ready(&mut answer).await?;
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut written = 0;
        let read = loop {
            piece.clear();
            let read = self.fill(&mut piece, reader, &mut answer).await?;
            if read.is_err() || piece.is_empty() || answer.is_bad() {
                break read;
            }
            written += piece.len() as u64;
            self.feed(Request::Piece {
                nonce,
                encoding,
                bytes: &piece,
            });
            if piece.len() < PIECE {
                break read;
            }
            self.deliver(&mut answer, false).await?;
        };
        self.end(&mut answer).await?;
        match (answer.status, read) {
            (Some(0), Ok(())) => Ok(written),
            (Some(0), Err(error)) => Err(Error::Read {
                path: answer.path(),
                source: Arc::new(error),
            }),
            _ => Err(Error::File {
                path: answer.path(),
                reason: answer.reason(),
            }),
        }
    }

    /// Ends the file whose future was dropped.
    pub(crate) async fn abandon(&mut self, put: Put) -> Result<(), Error> {
        let mut answer = Answer::to(b"an abandoned file", put.nonce);
        timeout(END_GRACE, self.end(&mut answer))
            .await
            .unwrap_or(Err(Error::Unresponsive { after: END_GRACE }))
    }

    /// Whatever reads a console when the agent is gone takes what comes for
    /// commands; a port is read by agents alone.
    fn encoding(&self) -> Encoding {
        if self.on_port {
            Encoding::Raw
        } else {
            Encoding::Base64
        }
    }

    /// Has `request` sent with all that is not sent yet. Not asynchronous: it is
    /// fed whole or not at all, and goes out whole even if our future is dropped.
    fn feed(&mut self, request: Request<'_>) {
        request.encode(self.line().write_buffer_mut());
    }

    /// Reads a piece, or less at the end of the file, or if the guest refuses it.
    async fn fill<R>(
        &mut self,
        piece: &mut BytesMut,
        reader: &mut R,
        answer: &mut Answer<'_>,
    ) -> Result<std::io::Result<()>, Error>
    where
        R: AsyncRead + Unpin,
    {
        while piece.len() < PIECE && !answer.is_bad() {
            let room = PIECE - piece.len();
            let mut rest = (&mut *piece).limit(room);
            tokio::select! {
                // A guest that can't have the file says so before all is read.
                heard = poll_fn(|cx| self.poll_exchange(cx, answer)) => heard?,
                read = reader.read_buf(&mut rest) => match read {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                },
            }
        }
        Ok(Ok(()))
    }

    /// Tells the guest that this was the file, and waits until it has it.
    async fn end(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.until_ready(answer).await?;
        if let Some(Running::Put(put)) = &mut self.running
            && !put.ended
        {
            put.ended = true;
            let (nonce, encoding) = (put.nonce, put.encoding);
            self.feed(Request::Piece {
                nonce,
                encoding,
                bytes: &[],
            });
        }
        self.deliver(answer, true).await
    }

    /// Waits until the guest takes pieces, or has ended the file instead.
    async fn until_ready(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        while let Some(Running::Put(Put { ready: false, .. })) = self.running {
            poll_fn(|cx| self.poll_exchange(cx, answer)).await?;
        }
        Ok(())
    }

    /// Sends all that was fed; with `to_the_end`, until the guest has ended the file.
    async fn deliver(&mut self, answer: &mut Answer<'_>, to_the_end: bool) -> Result<(), Error> {
        poll_fn(|cx| {
            loop {
                let heard = self.poll_exchange(cx, answer)?;
                let sent = self.line().write_buffer().is_empty();
                if answer.status.is_some() || (sent && !to_the_end) {
                    return Poll::Ready(Ok(()));
                }
                ready!(heard);
            }
        })
        .await
    }

    /// Sends what the line takes, and ready when it has heard something: a guest
    /// that waits for us to read what it prints would not read what we send.
    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut Answer<'_>,
    ) -> Poll<Result<(), Error>> {
        if let Poll::Ready(Err(error)) = self.line().poll_flush_unpin(cx) {
            return Poll::Ready(Err(lost(error, &answer.doing())));
        }
        let (_, event) = ready!(self.poll_event(cx, || answer.doing()))?;
        self.restarted(&event, || answer.doing())?;
        match event {
            Event::Output(whose, bytes) if whose == answer.nonce => {
                let room = MAX_REASON.saturating_sub(answer.reason.len());
                answer.reason.extend(bytes.iter().take(room));
            }
            Event::Ready(whose) if whose == answer.nonce => {
                if let Some(Running::Put(put)) = &mut self.running {
                    put.ready = true;
                }
            }
            Event::End {
                nonce: whose,
                status,
                ..
            } if whose == answer.nonce => {
                self.running = None;
                // Nobody waits for what may be left of it.
                self.line().write_buffer_mut().clear();
                answer.status = Some(status);
            }
            // An earlier command's late output, or something else on the line.
            _ => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<'a> Answer<'a> {
    fn to(path: &'a [u8], nonce: Nonce) -> Self {
        Self {
            path,
            nonce,
            reason: Vec::new(),
            status: None,
        }
    }

    /// The guest will not have more of the file.
    fn is_bad(&self) -> bool {
        !self.reason.is_empty() || self.status.is_some()
    }

    fn path(&self) -> String {
        String::from_utf8_lossy(self.path).into_owned()
    }

    fn reason(&self) -> String {
        match (self.reason.trim_ascii_end(), self.status) {
            (b"", Some(status)) => format!("status {status}"),
            // It is the guest's, and shown to people.
            (reason, _) => String::from_utf8_lossy(reason).replace(char::is_control, "\u{fffd}"),
        }
    }

    fn doing(&self) -> String {
        format!("writing {}", self.path())
    }
}
