//! QEMU's last events, for concurrent waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::event_log::EventLog;
use super::events::Events;
use super::message::Event;
use crate::Error;

/// The last 1024 events of a monitor, shared by concurrent waits.
///
/// A history has one cursor: the position after the last event returned by a
/// wait. Each wait starts at the cursor and examines every event from there on.
/// The cursor moves only when a wait returns an event, so concurrent waits are
/// independent, and a dropped wait leaves the cursor unchanged.
///
/// A background task collects the events. It ends with the monitor or with the
/// last handle. Clones share the history.
#[derive(Clone, Debug)]
pub struct EventHistory {
    log: Arc<Mutex<EventLog>>,
    /// Set to the reason once the monitor is closed.
    progress: watch::Receiver<Option<Error>>,
}

impl EventHistory {
    /// Collects `events` from now on.
    ///
    /// # Panics
    /// Panics if called outside of a tokio runtime.
    pub fn new(events: Events) -> Self {
        let log = Arc::default();
        let (sender, progress) = watch::channel(None);
        tokio::spawn(collect(events, Arc::clone(&log), sender));
        Self { log, progress }
    }

    /// Waits for the first event after the cursor that `wanted` accepts.
    ///
    /// `wanted` is called once for each event, in order. For lost events, it is
    /// called with [`Error::EventsLost`], and its result is ignored.
    ///
    /// # Errors
    /// The reason why the monitor is closed, once all events have been examined.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future leaves the cursor unchanged.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(Result<&Event, Error>) -> bool,
    ) -> Result<Event, Error> {
        let mut progress = self.progress.clone();
        let mut position = lock(&self.log).cursor();
        loop {
            // Before reading the log, so that it contains all events before the end.
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

    /// Takes the events after the cursor that have come, without waiting for more.
    pub fn take(&self) -> Vec<Event> {
        lock(&self.log).take()
    }

    /// Returns the event at `position`, or how many were lost, and advances
    /// `position`.
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
