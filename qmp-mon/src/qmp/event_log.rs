//! QEMU's last events in memory, with their positions. No I/O, no clock.

use std::collections::VecDeque;

use super::message::Event;

/// How many events are kept.
pub(super) const CAPACITY: usize = 1024;

/// The last [`CAPACITY`] events. An event's position is how many came before it.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    events: VecDeque<Event>,
    /// The position of the oldest event kept.
    start: u64,
    /// Where a wait begins: behind the last event that a wait returned.
    cursor: u64,
}

impl EventLog {
    /// Appends an event; the oldest one is dropped if there is no room.
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == CAPACITY {
            self.events.pop_front();
            self.start += 1;
        }
        self.events.push_back(event);
    }

    /// Counts events that were lost on the way here. Those before them are
    /// dropped, so that positions stay contiguous.
    pub(super) fn lose(&mut self, count: u64) {
        self.start += self.events.len() as u64 + count;
        self.events.clear();
    }

    /// The position of the oldest event kept.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The event at `position`, if it is kept.
    pub(super) fn get(&self, position: u64) -> Option<&Event> {
        let index = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.events.get(index)
    }

    /// Where a new wait begins.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// A wait returned the event at `position`.
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
    fn positions_stay_when_the_oldest_are_dropped() {
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
    fn the_cursor_never_goes_back() {
        let mut log = EventLog::default();
        log.advance(7);
        log.advance(2);
        assert_eq!(log.cursor(), 8);
    }
}
