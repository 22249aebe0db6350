//! The background task of a client, which reads and writes.

use std::convert::Infallible;
use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::codec::{Decoder, Encoder, Framed};

use crate::error::{CloseReason, SharedCloseReason};

/// The requests in progress on a connection.
pub(crate) trait Session {
    /// What a handle asks for.
    type Request;
    type Command;
    type Message;

    /// Whether the next request may be sent.
    fn is_ready(&self) -> bool;

    /// The command to send for a request; `None` if its caller was dropped while it was
    /// queued.
    fn start(&mut self, request: Self::Request) -> Option<Self::Command>;

    /// Handles a message. Returns the command to send next, if any; an error closes the
    /// connection.
    fn receive(&mut self, message: Self::Message) -> Result<Option<Self::Command>, CloseReason>;

    /// Fails all requests in progress.
    fn close(self, reason: &CloseReason);
}

/// Runs until all handles are dropped or the connection ends, and then closes it.
pub(crate) async fn run<T, C, S>(
    monitor: Framed<T, C>,
    mut session: S,
    mut queue: mpsc::Receiver<S::Request>,
    close_reason: SharedCloseReason,
) where
    T: AsyncRead + AsyncWrite,
    C: Decoder<Item = S::Message, Error = io::Error> + Encoder<S::Command, Error = io::Error>,
    S: Session,
{
    let Err(reason) = serve(monitor, &mut session, &mut queue).await;
    // Before dropping the queue and the session, which wakes the handles.
    close_reason.set(reason.clone());
    session.close(&reason);
}

async fn serve<T, C, S>(
    monitor: Framed<T, C>,
    session: &mut S,
    queue: &mut mpsc::Receiver<S::Request>,
) -> Result<Infallible, CloseReason>
where
    T: AsyncRead + AsyncWrite,
    C: Decoder<Item = S::Message, Error = io::Error> + Encoder<S::Command, Error = io::Error>,
    S: Session,
{
    let (mut sink, mut messages) = monitor.split();
    let mut is_flushed = true;
    loop {
        let command = tokio::select! {
            // Sends no new command before the last ones are flushed.
            request = queue.recv(), if is_flushed && session.is_ready() => {
                let request = request.ok_or_else(CloseReason::closed)?;
                session.start(request)
            }
            // Concurrently with reading, to avoid a deadlock if both sides block on writes.
            flushed = sink.flush(), if !is_flushed => {
                flushed?;
                is_flushed = true;
                None
            }
            message = messages.next() => {
                let message = message.ok_or_else(CloseReason::closed)?;
                session.receive(message?)?
            }
        };
        if let Some(command) = command {
            sink.feed(command).await?;
            is_flushed = false;
        }
    }
}
