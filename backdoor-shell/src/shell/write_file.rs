//! `Shell::write_file`: a file of any size into the guest.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;

use super::link::Line;
use super::{InFlight, Shell};
use crate::{Encoding, Error, Event, Nonce, Request};

/// How many bytes of a file are sent at once. Each piece takes the guest one to three
/// processes, and is held in memory by both sides.
const PIECE: usize = 1024 * 1024;

/// The longest reason for a failure that is accepted from the guest.
const MAX_REASON: usize = 4096;

/// How long the guest may take to end an abandoned file.
const END_GRACE: Duration = Duration::from_secs(30);

/// A file that is being written: what the next call needs if the future is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    nonce: Nonce,
    encoding: Encoding,
    /// The guest is ready for pieces. Earlier ones could be read by bash from a terminal.
    is_ready: bool,
    /// The piece that ends the file is sent or in the send buffer.
    is_end_queued: bool,
}

/// What the guest has answered so far.
#[derive(Debug)]
struct Answer<'a> {
    path: &'a [u8],
    nonce: Nonce,
    /// The operation in progress, for errors.
    doing: String,
    reason: Vec<u8>,
    status: Option<i32>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Shell<T> {
    /// Writes everything from `reader` to `path` in the guest and returns the number of
    /// bytes. The file is created or truncated; its directory must exist. A relative path
    /// is resolved against the working directory of the guest's shell.
    ///
    /// Needs memory for two pieces of 1 MiB, however large the file. There is no time
    /// limit: a FIFO without a reader blocks the shell.
    ///
    /// # Errors
    /// [`Error::File`] if the guest can't write the file, [`Error::Read`] if `reader`
    /// fails, [`Error::NulInPath`]; [`Error::NotConnected`], and [`Error::Closed`],
    /// [`Error::Io`], [`Error::Restarted`], [`Error::Unresponsive`] if the shell doesn't
    /// answer. The file may then exist in part.
    ///
    /// # Cancel safety
    /// The next call completes the piece that is being sent, and ends the file there. What
    /// else was read from `reader` is lost.
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
        let doing = format!("writing {}", String::from_utf8_lossy(path));
        let session = self.finish_abandoned(&doing).await?;

        let upload = self.start_upload(session, path);
        let mut answer = Answer::new(path, upload.nonce, doing);
        self.until_ready(&mut answer).await?;
        let (written, read) = self.send_pieces(upload, reader, &mut answer).await?;
        self.end_upload(&mut answer).await?;
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

    /// Ends the file of a dropped future. Errors name what the caller is `doing`.
    pub(super) async fn finish_upload(&mut self, upload: Upload, doing: &str) -> Result<(), Error> {
        let mut answer = Answer::new(b"", upload.nonce, doing.to_owned());
        timeout(END_GRACE, self.end_upload(&mut answer))
            .await
            .unwrap_or(Err(Error::Unresponsive { after: END_GRACE }))
    }

    fn start_upload(&mut self, session: Nonce, path: &[u8]) -> Upload {
        let nonce = Nonce::random();
        let encoding = match self.link.line() {
            // Only agents read from a port.
            Line::Port => Encoding::Raw,
            // If the agent exits, the console's next reader evaluates what it receives.
            Line::Console => Encoding::Base64,
        };
        let upload = Upload {
            nonce,
            encoding,
            is_ready: false,
            is_end_queued: false,
        };
        self.in_flight = Some(InFlight::Upload(upload));
        self.link.queue(Request::Put {
            session,
            nonce,
            encoding,
            path,
        });
        upload
    }

    /// Sends pieces until the end of `reader`, its failure, or the guest's refusal. Returns
    /// the number of bytes sent and what became of `reader`.
    async fn send_pieces<R>(
        &mut self,
        upload: Upload,
        reader: &mut R,
        answer: &mut Answer<'_>,
    ) -> Result<(u64, io::Result<()>), Error>
    where
        R: AsyncRead + Unpin,
    {
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut written = 0;
        loop {
            piece.clear();
            let read = self.read_piece(&mut piece, reader, answer).await?;
            if read.is_err() || piece.is_empty() || answer.is_refusal() {
                return Ok((written, read));
            }
            written += piece.len() as u64;
            self.link.queue(upload.piece(&piece));
            if piece.len() < PIECE {
                return Ok((written, read));
            }
            self.flush_upload(answer, false).await?;
        }
    }

    /// Fills `piece`; less at the end of the file, or if the guest refuses it.
    async fn read_piece<R>(
        &mut self,
        piece: &mut BytesMut,
        reader: &mut R,
        answer: &mut Answer<'_>,
    ) -> Result<io::Result<()>, Error>
    where
        R: AsyncRead + Unpin,
    {
        while piece.len() < PIECE && !answer.is_refusal() {
            let space = PIECE - piece.len();
            let mut rest = (&mut *piece).limit(space);
            tokio::select! {
                // The guest may refuse the file before all of it is read.
                event = poll_fn(|cx| self.poll_exchange(cx, answer)) => event?,
                read = reader.read_buf(&mut rest) => match read {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                },
            }
        }
        Ok(Ok(()))
    }

    /// Sends the end of the file and waits until the guest has closed it.
    async fn end_upload(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        self.until_ready(answer).await?;
        match &mut self.in_flight {
            Some(InFlight::Upload(upload)) if !upload.is_end_queued => {
                upload.is_end_queued = true;
                self.link.queue(upload.piece(&[]));
            }
            _ => {}
        }
        self.flush_upload(answer, true).await
    }

    /// Waits until the guest is ready for pieces, or has ended the file instead.
    async fn until_ready(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        while self.is_upload_pending() {
            poll_fn(|cx| self.poll_exchange(cx, answer)).await?;
        }
        Ok(())
    }

    fn is_upload_pending(&self) -> bool {
        matches!(self.in_flight, Some(InFlight::Upload(upload)) if !upload.is_ready)
    }

    /// Sends everything that is queued; with `to_end`, until the guest has ended the file.
    async fn flush_upload(&mut self, answer: &mut Answer<'_>, to_end: bool) -> Result<(), Error> {
        poll_fn(|cx| {
            loop {
                let event = self.poll_exchange(cx, answer)?;
                if answer.status.is_some() || (self.link.is_flushed() && !to_end) {
                    return Poll::Ready(Ok(()));
                }
                ready!(event);
            }
        })
        .await
    }

    /// Sends as much as possible; ready after an event. Does both, because a guest that is
    /// blocked on its output does not read its input.
    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut Answer<'_>,
    ) -> Poll<Result<(), Error>> {
        if let Poll::Ready(Err(error)) = self.link.poll_flush(cx, || answer.doing()) {
            return Poll::Ready(Err(error));
        }
        let (line, event) = ready!(self.link.poll_event(cx, || answer.doing()))?;
        self.check_restart((line, &event), || answer.doing())?;
        match event {
            Event::Output(id, bytes) if id == answer.nonce => {
                let space = MAX_REASON.saturating_sub(answer.reason.len());
                answer.reason.extend(bytes.iter().take(space));
            }
            Event::Ready(id) if id == answer.nonce => {
                if let Some(InFlight::Upload(upload)) = &mut self.in_flight {
                    upload.is_ready = true;
                }
            }
            Event::End {
                nonce: id, status, ..
            } if id == answer.nonce => {
                self.in_flight = None;
                self.link.discard_unsent();
                answer.status = Some(status);
            }
            // Late output of an earlier command, or unrelated output.
            _ => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl Upload {
    pub(super) fn nonce(&self) -> Nonce {
        self.nonce
    }

    fn piece<'a>(&self, bytes: &'a [u8]) -> Request<'a> {
        Request::Piece {
            nonce: self.nonce,
            encoding: self.encoding,
            bytes,
        }
    }
}

impl<'a> Answer<'a> {
    fn new(path: &'a [u8], nonce: Nonce, doing: String) -> Self {
        Self {
            path,
            nonce,
            doing,
            reason: Vec::new(),
            status: None,
        }
    }

    /// Whether the guest does not accept more of the file.
    fn is_refusal(&self) -> bool {
        !self.reason.is_empty() || self.status.is_some()
    }

    fn path(&self) -> String {
        String::from_utf8_lossy(self.path).into_owned()
    }

    fn reason(&self) -> String {
        match (self.reason.trim_ascii_end(), self.status) {
            (b"", Some(status)) => format!("status {status}"),
            // Control characters could affect the user's terminal.
            (reason, _) => String::from_utf8_lossy(reason).replace(char::is_control, "\u{fffd}"),
        }
    }

    fn doing(&self) -> String {
        self.doing.clone()
    }
}
