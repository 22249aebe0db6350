//! The console and the port between the host and the guest.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::Framed;

use crate::codec::{Event, ShellCodec};
use crate::error::io_error;
use crate::greeting::is_greeting;
use crate::{Error, Request};

/// How many bytes of a line are read at once.
const READ_BUFFER: usize = 64 * 1024;

/// One or two lines to the guest, of which the agent uses one.
#[derive(Debug)]
pub(super) struct Link<T> {
    console: Framed<T, ShellCodec>,
    port: Option<Framed<T, ShellCodec>>,
    /// Where the agent reads and writes, or will.
    agent: Line,
    /// The other end has closed a line, or a line has failed.
    is_closed: bool,
}

/// Which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Console,
    Port,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Link<T> {
    pub(super) fn new(console: T) -> Self {
        Self {
            console: framed(console),
            port: None,
            agent: Line::Console,
            is_closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The stream of the console.
    pub(super) fn console(&self) -> &T {
        self.console.get_ref()
    }

    /// The streams of the console and of the port.
    pub(super) fn into_streams(self) -> (T, Option<T>) {
        (self.console.into_inner(), self.port.map(Framed::into_inner))
    }

    /// Converts an error of a line, which is of no use any more.
    fn failed(&mut self, error: io::Error, doing: &str) -> Error {
        self.is_closed = true;
        io_error(error, doing)
    }

    pub(super) fn set_port(&mut self, port: T) {
        self.port = Some(framed(port));
    }

    /// The line that the agent uses.
    pub(super) fn line(&self) -> Line {
        self.agent
    }

    pub(super) fn use_line(&mut self, line: Line) {
        self.agent = line;
    }

    /// Discards all unsent requests and partly received frames.
    pub(super) fn reset(&mut self) {
        self.agent = Line::Console;
        for line in self.lines() {
            line.write_buffer_mut().clear();
            line.codec_mut().reset();
        }
    }

    /// Discards all that has been received.
    pub(super) fn discard_received(&mut self) {
        while let Some(Ok(_)) = self.event("rewinding").now_or_never() {}
        for line in self.lines() {
            line.codec_mut().set_running(None);
        }
    }

    /// Sends a request, or stops waiting at the deadline: the unsent rest then precedes
    /// the next request.
    pub(super) async fn send(
        &mut self,
        request: Request<'_>,
        deadline: Option<Instant>,
        doing: &str,
    ) -> Result<(), Error> {
        match before(deadline, self.agent_line().send(request)).await {
            Some(Err(error)) => Err(self.failed(error, doing)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Adds `request` to the send buffer. Not async: a dropped future can't cut it.
    pub(super) fn queue(&mut self, request: Request<'_>) {
        request.encode(self.agent_line().write_buffer_mut());
    }

    pub(super) async fn flush(&mut self, doing: &str) -> Result<(), Error> {
        let flushed = self.agent_line().flush().await;
        flushed.map_err(|error| self.failed(error, doing))
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        doing: impl FnOnce() -> String,
    ) -> Poll<Result<(), Error>> {
        let flushed = self.agent_line().poll_flush_unpin(cx);
        flushed.map_err(|error| self.failed(error, &doing()))
    }

    pub(super) fn is_flushed(&mut self) -> bool {
        self.agent_line().write_buffer().is_empty()
    }

    pub(super) fn discard_unsent(&mut self) {
        self.agent_line().write_buffer_mut().clear();
    }

    /// The next event and the line it came from.
    pub(super) async fn event(&mut self, doing: &str) -> Result<(Line, Event), Error> {
        poll_fn(|cx| self.poll_event(cx, || doing.to_owned())).await
    }

    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        doing: impl FnOnce() -> String,
    ) -> Poll<Result<(Line, Event), Error>> {
        let from_port = loop {
            match self.port.as_mut().map(|port| port.poll_next_unpin(cx)) {
                None => break Poll::Pending,
                // The rest of output that was cut.
                Some(Poll::Ready(Some(Ok(Event::OtherLine(line))))) if !is_greeting(&line) => {}
                Some(from_port) => break from_port,
            }
        };
        let (line, next) = match from_port {
            Poll::Ready(next) => (Line::Port, next),
            // Always read the console, too: a restarted shell may greet there.
            Poll::Pending => (Line::Console, ready!(self.console.poll_next_unpin(cx))),
        };
        Poll::Ready(match next {
            Some(Ok(event)) => Ok((line, event)),
            Some(Err(error)) => Err(self.failed(error, &doing())),
            None => Err(self.failed(io::ErrorKind::BrokenPipe.into(), &doing())),
        })
    }

    /// The console's raw stream and the agent's port, if the agent leaves the console free.
    pub(super) fn free_console(&mut self) -> Option<(&mut T, &mut Framed<T, ShellCodec>)> {
        match (self.agent, &mut self.port) {
            (Line::Port, Some(port)) => Some((self.console.get_mut(), port)),
            _ => None,
        }
    }

    fn agent_line(&mut self) -> &mut Framed<T, ShellCodec> {
        match (self.agent, &mut self.port) {
            (Line::Port, Some(port)) => port,
            _ => &mut self.console,
        }
    }

    fn lines(&mut self) -> impl Iterator<Item = &mut Framed<T, ShellCodec>> {
        self.port.iter_mut().chain([&mut self.console])
    }
}

fn framed<T: AsyncRead + AsyncWrite>(stream: T) -> Framed<T, ShellCodec> {
    Framed::with_capacity(stream, ShellCodec::default(), READ_BUFFER)
}

/// The future's value, or `None` at the deadline, if there is one.
pub(super) async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        // Checked first: a future that is always ready (a flood of output) must end, too.
        Some(deadline) if deadline <= Instant::now() => None,
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
