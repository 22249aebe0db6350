//! QEMU's last events, for any number of waits at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::event_log::EventLog;
use super::events::Events;
use super::message::Event;
use crate::Error;

/// The last 1024 events of a monitor, shared by any number of waits.
///
/// A history has one cursor: the position behind the last event that a wait
/// returned. Each wait begins at the cursor and sees every event from there on.
/// The cursor moves only when a wait returns an event, so waits at the same
/// time take nothing from each other, and a dropped wait consumes nothing.
///
/// A task of its own collects the events; it ends with the monitor or with the
/// last handle. Clones share the history.
#[derive(Clone, Debug)]
pub struct EventHistory {
    log: Arc<Mutex<EventLog>>,
    /// Why no more events come, once that is so.
    progress: watch::Receiver<Option<Error>>,
}

impl EventHistory {
    /// Collects `events` from now on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(events: Events) -> Self {
        let log = Arc::default();
        let (sender, progress) = watch::channel(None);
        tokio::spawn(collect(events, Arc::clone(&log), sender));
        Self { log, progress }
    }

    /// Waits for the first event from the cursor on that `wanted` accepts.
    ///
    /// `wanted` is called once for each event, in order. Where events were
    /// dropped before they could be examined, it is called with
    /// [`Error::EventsLost`] instead; what it returns for that is ignored.
    ///
    /// # Errors
    /// Why the monitor is closed, once all events have been examined.
    ///
    /// # Cancel safety
    /// A dropped wait consumes nothing.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(Result<&Event, Error>) -> bool,
    ) -> Result<Event, Error> {
        let mut progress = self.progress.clone();
        let mut position = lock(&self.log).cursor();
        loop {
            // Before the log: whatever came before the end is in it by then.
            let closed = progress.borrow_and_update().clone();
            while let Some(next) = self.next(&mut position) {
                match next {
                    Ok(event) if wanted(Ok(&event)) => {
                        lock(&self.log).advance(position - 1);
                        return Ok(event);
                    }
                    Ok(_) => {}
                    Err(lost) => {
                        wanted(Err(lost));
                    }
                }
            }
            if let Some(error) = closed {
                return Err(error);
            }
            if progress.changed().await.is_err() && progress.borrow().is_none() {
                return Err(Error::Closed {
                    doing: "waiting for an event".to_owned(),
                    seen: String::new(),
                });
            }
        }
    }

    /// The event at `position`, which moves behind it; or how many are lost there.
    fn next(&self, position: &mut u64) -> Option<Result<Event, Error>> {
        let log = lock(&self.log);
        let count = log.start().saturating_sub(*position);
        if count > 0 {
            *position = log.start();
            return Some(Err(Error::EventsLost { count }));
        }
        let event = log.get(*position)?.clone();
        *position += 1;
        Some(Ok(event))
    }
}

async fn collect(
    mut events: Events,
    log: Arc<Mutex<EventLog>>,
    progress: watch::Sender<Option<Error>>,
) {
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = progress.closed() => return,
        };
        match event {
            Some(Ok(event)) => lock(&log).push(event),
            Some(Err(Error::EventsLost { count })) => lock(&log).lose(count),
            Some(Err(error)) => {
                progress.send_replace(Some(error));
                return;
            }
            None => return,
        }
        progress.send_replace(None);
    }
}

fn lock(log: &Mutex<EventLog>) -> MutexGuard<'_, EventLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
