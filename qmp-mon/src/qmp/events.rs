//! What happens in QEMU, as a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::message::Event;
use crate::Error;
use crate::error::Epitaph;

/// The events since this stream was made by [`Qmp::events`](crate::Qmp::events).
///
/// Up to 1024 are kept for who does not take them. Whoever is slower is told by
/// [`Error::EventsLost`], and goes on with the oldest one kept. Other errors are
/// the last item: they say why the monitor is gone. The stream does not keep
/// the connection open.
#[derive(Debug)]
pub struct Events {
    stream: Option<BroadcastStream<Event>>,
    epitaph: Epitaph,
}

impl Events {
    /// `None` when the monitor is gone already: the stream has to say so, and no more.
    pub(super) fn new(events: Option<broadcast::Receiver<Event>>, epitaph: Epitaph) -> Self {
        let events = events.unwrap_or_else(|| broadcast::channel(1).1);
        Self {
            stream: Some(BroadcastStream::new(events)),
            epitaph,
        }
    }

    /// Waits for the next event of this name, such as `SHUTDOWN`; drops those before.
    ///
    /// # Errors
    /// [`Error::EventsLost`] (it may have been among them; wait again if it
    /// may come again), or why the monitor is gone.
    ///
    /// # Cancel safety
    /// Cancel safe: only events of other names are lost.
    pub async fn wait_for(&mut self, name: &str) -> Result<Event, Error> {
        while let Some(event) = self.next().await {
            match event {
                Ok(event) if event.name == name => return Ok(event),
                Ok(_) => {}
                Err(lost @ Error::EventsLost { .. }) => return Err(lost),
                Err(_) => break,
            }
        }
        Err(self
            .epitaph
            .read()
            .during(format!("waiting for the event {name}")))
    }
}

impl Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match ready!(stream.poll_next_unpin(cx)) {
            Some(Ok(event)) => Ok(event),
            Some(Err(BroadcastStreamRecvError::Lagged(count))) => Err(Error::EventsLost { count }),
            None => {
                self.stream = None;
                Err(self.epitaph.read().during("waiting for an event"))
            }
        }))
    }
}
