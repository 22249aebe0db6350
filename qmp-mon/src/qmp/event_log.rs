//! QEMU's last events, addressed by position. No I/O, no clock.

use std::collections::VecDeque;

use super::message::Event;

/// Maximum number of events.
pub(super) const CAPACITY: usize = 1024;

/// The last [`CAPACITY`] events. An event's position is the number of events before it.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    events: VecDeque<Event>,
    /// The position of the oldest event.
    start: u64,
    /// The position after the last event returned by a wait.
    cursor: u64,
}

impl EventLog {
    /// Appends an event, and evicts the oldest one if it is full.
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == CAPACITY {
            self.events.pop_front();
            self.start += 1;
        }
        self.events.push_back(event);
    }

    /// The position of the oldest event.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The event at `position`, unless evicted.
    pub(super) fn get(&self, position: u64) -> Option<&Event> {
        let index = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.events.get(index)
    }

    /// The position at which a wait starts.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The events after the cursor. Moves the cursor after them.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let returned = self.cursor.saturating_sub(self.start);
        let returned = usize::try_from(returned).unwrap_or(usize::MAX);
        self.cursor = self.cursor.max(self.start + self.events.len() as u64);
        self.events.iter().skip(returned).cloned().collect()
    }

    /// Moves the cursor after `position`, but never backwards.
    pub(super) fn advance(&mut self, position: u64) {
        self.cursor = self.cursor.max(position + 1);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn event(name: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: Value::Null,
            timestamp: None,
        }
    }

    #[test]
    fn positions_stay_valid_after_eviction() {
        let mut log = EventLog::default();
        for n in 0..CAPACITY + 3 {
            log.push(event(&n.to_string()));
        }
        assert_eq!(log.start(), 3);
        assert_eq!(log.get(2), None);
        assert_eq!(log.get(3), Some(&event("3")));
        assert_eq!(log.get(CAPACITY as u64 + 3), None);
    }

    #[test]
    fn events_are_taken_once() {
        let mut log = EventLog::default();
        for name in ["a", "b", "c"] {
            log.push(event(name));
        }
        log.advance(0);
        assert_eq!(log.take(), [event("b"), event("c")]);
        assert_eq!(log.take(), []);
        log.push(event("d"));
        assert_eq!(log.take(), [event("d")]);
        assert_eq!(log.cursor(), 4);
    }

    #[test]
    fn the_cursor_never_moves_back() {
        let mut log = EventLog::default();
        log.advance(7);
        log.advance(2);
        assert_eq!(log.cursor(), 8);
    }
}
