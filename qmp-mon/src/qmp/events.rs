//! QEMU's events as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError::Lagged;

use super::Event;
use crate::Error;

/// The events since it was made, by [`Qmp::events`](super::Qmp::events). Ends
/// with the monitor.
///
/// Up to 1024 events wait to be taken. Whoever is slower gets
/// [`Error::Lagged`], once, in place of those that are lost.
#[derive(Debug)]
pub struct Events(Option<BroadcastStream<Event>>);

impl Events {
    /// `None` for a monitor that is closed already.
    pub(super) fn new(events: Option<broadcast::Receiver<Event>>) -> Self {
        Self(events.map(BroadcastStream::new))
    }

    /// Waits for the next event called `name`, and skips others.
    ///
    /// # Errors
    /// [`Error::Closed`] if the monitor closes first. [`Error::Lagged`].
    ///
    /// # Cancel safety
    /// Events that were skipped stay skipped.
    pub async fn wait_for(&mut self, name: &str) -> Result<Event, Error> {
        while let Some(event) = self.next().await {
            let event = event?;
            if event.name == name {
                return Ok(event);
            }
        }
        Err(Error::Closed)
    }
}

impl Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.0 else {
            return Poll::Ready(None);
        };
        events.poll_next_unpin(cx).map(|event| {
            event.map(|event| event.map_err(|Lagged(missed)| Error::Lagged { missed }))
        })
    }
}
