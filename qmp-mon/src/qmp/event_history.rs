//! QEMU's last events, for concurrent waits.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::event_log::EventLog;
use super::event_source::{EventSource, lock};
use super::message::Event;
use crate::Error;
use crate::error::SharedCloseReason;

/// The last 1024 events of a monitor, shared by concurrent waits: see
/// [`Qmp::event_history`](crate::Qmp::event_history).
///
/// A history has one cursor: the position after the last event returned by a
/// wait. Each wait starts at the cursor and examines every event from there on.
/// The cursor moves only when a wait returns an event, so concurrent waits are
/// independent, and a dropped wait leaves the cursor unchanged.
///
/// It has each event before a command returns whose reply came after that event. It does
/// not keep the connection open. Clones share the history.
#[derive(Clone, Debug)]
pub struct EventHistory {
    log: Arc<Mutex<EventLog>>,
    /// Notified of each event, and closed with the monitor.
    changed: watch::Receiver<()>,
    close_reason: SharedCloseReason,
}

impl EventHistory {
    /// With `None`, the connection is closed.
    pub(super) fn new(source: Option<&EventSource>, close_reason: SharedCloseReason) -> Self {
        let log = Arc::default();
        let changed = match source {
            Some(source) => source.record(Arc::clone(&log)),
            None => watch::channel(()).1,
        };
        Self {
            log,
            changed,
            close_reason,
        }
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
        let mut changed = self.changed.clone();
        let mut position = lock(&self.log).cursor();
        loop {
            // Before reading the log, so that it contains all events before the end.
            let is_closed = changed.has_changed().is_err();
            changed.mark_unchanged();
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
            if is_closed {
                return Err(self.close_reason.get().error_while("waiting for an event"));
            }
            // The end is noticed above.
            let _ = changed.changed().await;
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
