//! The queue for the shell.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::sync::Mutex;

/// The callers that wait for the shell.
#[derive(Debug)]
pub(crate) struct Queue {
    length: watch::Sender<usize>,
    /// When a caller last had to wait.
    needed: Mutex<Option<Instant>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            length: watch::Sender::new(0),
            needed: Mutex::new(None),
        }
    }

    /// Joins the queue; dropping the guard leaves it.
    pub(super) fn join(&self) -> QueueGuard<'_> {
        *self.needed.lock() = Some(Instant::now());
        self.length.send_modify(|length| *length += 1);
        QueueGuard(&self.length)
    }

    /// Waits until a caller is in the queue.
    pub(crate) async fn is_needed(&self) {
        let mut length = self.length.subscribe();
        // The sender is in `self`.
        let _ = length.wait_for(|length| *length > 0).await;
    }

    /// Whether a caller had to wait within this time.
    pub(crate) fn was_needed_within(&self, time: Duration) -> bool {
        let needed = *self.needed.lock();
        needed.is_some_and(|needed| needed.elapsed() < time)
    }
}

pub(super) struct QueueGuard<'a>(&'a watch::Sender<usize>);

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|length| *length -= 1);
    }
}
