//! The stream of QEMU's events.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::message::Event;
use crate::Error;
use crate::error::SharedCloseReason;

/// The events since the call of [`Qmp::events`](crate::Qmp::events).
///
/// Up to 1024 events are buffered. If the buffer overflows, the next item is
/// [`Error::EventsLost`], followed by the oldest buffered event. Any other error
/// is the last item: the reason why the connection is closed. The stream does
/// not keep the connection open.
#[derive(Debug)]
pub struct Events {
    stream: Option<BroadcastStream<Event>>,
    close_reason: SharedCloseReason,
}

impl Events {
    /// With `None`, the connection is closed: the stream yields only the reason.
    pub(super) fn new(
        events: Option<broadcast::Receiver<Event>>,
        close_reason: SharedCloseReason,
    ) -> Self {
        let events = events.unwrap_or_else(|| broadcast::channel(1).1);
        Self {
            stream: Some(BroadcastStream::new(events)),
            close_reason,
        }
    }

    /// Waits for the next event called `name`, such as `SHUTDOWN`, and discards the
    /// events before it.
    ///
    /// # Errors
    /// [`Error::EventsLost`] if the event may be among lost events, or the reason
    /// why the connection is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: only events with other names are discarded.
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
            .close_reason
            .get()
            .error_while(format!("waiting for the event {name}")))
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
                Err(self.close_reason.get().error_while("waiting for an event"))
            }
        }))
    }
}
