//! The history of QEMU's events, in which several waits look at the same time.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use qmp_mon::{Event, Events};
use tokio::sync::watch;

use crate::sync::Mutex;

/// How many events are kept. QEMU sends a few per start; a guest can cause many.
const MAX_EVENTS: usize = 1024;

/// The last events, by position.
#[derive(Debug, Default)]
struct History {
    events: VecDeque<Event>,
    /// The position of the first event that is kept.
    first: u64,
    /// The position after the last event that a wait has returned.
    cursor: u64,
}

impl History {
    fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.first += 1;
        }
        self.events.push_back(event);
    }

    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The first event from `position` on that is `wanted`. Advances `position` past it,
    /// or to the end, and passes every other event on the way to `skipped`.
    fn find(
        &mut self,
        position: &mut u64,
        wanted: impl Fn(&Event) -> bool,
        skipped: &mut Skipped,
    ) -> Option<Event> {
        skipped.lost += self.first.saturating_sub(*position);
        *position = (*position).max(self.first);
        let start = usize::try_from(*position - self.first).unwrap_or(usize::MAX);
        for event in self.events.iter().skip(start) {
            *position += 1;
            if wanted(event) {
                self.cursor = self.cursor.max(*position);
                return Some(event.clone());
            }
            skipped.add(&event.name);
        }
        None
    }
}

/// The events that a wait has passed over.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    names: Vec<String>,
    lost: u64,
}

impl Skipped {
    /// How many names are kept.
    const MAX_NAMES: usize = 100;

    fn add(&mut self, name: &str) {
        if self.names.len() < Self::MAX_NAMES {
            self.names.push(name.to_owned());
        }
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn list(&self) -> String {
        let mut list = if self.names.is_empty() {
            "no event at all".to_owned()
        } else {
            self.names.join(", ")
        };
        if self.lost > 0 {
            list += &format!("; {} earlier ones were not kept", self.lost);
        }
        list
    }
}

/// A shared history, filled by a task until the monitor closes.
#[derive(Clone, Debug)]
pub(crate) struct EventHistory {
    history: Arc<Mutex<History>>,
    /// The position after the last event.
    end: watch::Receiver<u64>,
}

impl EventHistory {
    /// Records `events` in a task of its own.
    pub(super) fn record(mut events: Events) -> Self {
        let history: Arc<Mutex<History>> = Arc::default();
        let (sender, end) = watch::channel(0);
        let recorded = Arc::clone(&history);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                // Lost events are few; the monitor's end closes the channel.
                if let Ok(event) = event {
                    let mut history = recorded.lock();
                    history.push(event);
                    sender.send_replace(history.end());
                }
            }
        });
        Self { history, end }
    }

    /// Waits for an event after the last one that a wait has returned. `None` if the
    /// monitor was closed.
    ///
    /// Waits at the same time do not take events from each other, and a dropped one takes
    /// none.
    pub(crate) async fn wait_for(
        &self,
        wanted: impl Fn(&Event) -> bool,
        skipped: &Mutex<Skipped>,
    ) -> Option<Event> {
        let mut end = self.end.clone();
        let mut position = self.history.lock().cursor;
        loop {
            // Before the search, so that no event comes unnoticed after it.
            let is_open = end.has_changed().is_ok();
            end.mark_unchanged();
            let found = self
                .history
                .lock()
                .find(&mut position, &wanted, &mut skipped.lock());
            if found.is_some() || !is_open {
                return found;
            }
            // An error means that it was closed: search once more.
            let _ = end.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str) -> Event {
        serde_json::from_value(json!({
            "event": name, "timestamp": { "seconds": 1, "microseconds": 2 },
        }))
        .unwrap()
    }

    fn find(history: &mut History, position: &mut u64, name: &str) -> (bool, Skipped) {
        let mut skipped = Skipped::default();
        let found = history.find(position, |event| event.name == name, &mut skipped);
        (found.is_some(), skipped)
    }

    #[test]
    fn waits_do_not_take_events_from_each_other() {
        let mut history = History::default();
        let [mut one, mut other] = [0, 0];
        history.push(event("STOP"));
        assert!(!find(&mut history, &mut one, "RESUME").0);
        history.push(event("RESUME"));
        assert!(find(&mut history, &mut other, "STOP").0);
        assert!(find(&mut history, &mut one, "RESUME").0);
        assert_eq!(history.cursor, 2);
    }

    #[test]
    fn events_that_are_not_kept_are_counted() {
        let mut history = History::default();
        for _ in 0..MAX_EVENTS + 10 {
            history.push(event("RTC_CHANGE"));
        }
        let mut position = 0;
        let (found, skipped) = find(&mut history, &mut position, "STOP");
        assert!(!found);
        assert_eq!(position, history.end());
        assert!(
            skipped
                .list()
                .ends_with("RTC_CHANGE; 10 earlier ones were not kept")
        );
        assert_eq!(Skipped::default().list(), "no event at all");
    }
}
