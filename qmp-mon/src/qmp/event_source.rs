//! What the monitor's task does with an event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use super::event_log::EventLog;
use super::message::Event;

/// How many events are buffered for each stream.
const BUFFER: usize = 1024;

/// Passes events on to streams and histories, until it is dropped with the task.
#[derive(Debug)]
pub(super) struct EventSource {
    streams: broadcast::Sender<Event>,
    histories: Mutex<Vec<History>>,
}

#[derive(Debug)]
struct History {
    log: Arc<Mutex<EventLog>>,
    changed: watch::Sender<()>,
}

impl EventSource {
    pub(super) fn new() -> Self {
        Self {
            streams: broadcast::Sender::new(BUFFER),
            histories: Mutex::default(),
        }
    }

    pub(super) fn stream(&self) -> broadcast::Receiver<Event> {
        self.streams.subscribe()
    }

    /// Records the events from now on in a log. The receiver is notified of each.
    pub(super) fn record(&self, log: Arc<Mutex<EventLog>>) -> watch::Receiver<()> {
        let (changed, receiver) = watch::channel(());
        let history = History { log, changed };
        let mut histories = lock(&self.histories);
        histories.push(history);
        receiver
    }

    /// Returns when all histories have the event: a reply that follows is delivered later.
    pub(super) fn publish(&self, event: Event) {
        let mut histories = lock(&self.histories);
        histories.retain(|history| !history.changed.is_closed());
        for History { log, changed } in &*histories {
            lock(log).push(event.clone());
            changed.send_replace(());
        }
        // Fails if nothing is subscribed.
        let _ = self.streams.send(event);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
