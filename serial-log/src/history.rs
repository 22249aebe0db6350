//! The end of the log in memory, addressed by position in the whole log.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr_iter};

/// The last lines of the log, up to a number of bytes.
///
/// The log is one growing text: lines terminated by `\n`, then an unfinished
/// line. A position is a byte offset from the beginning of the log, even if the
/// beginning has been evicted.
#[derive(Debug)]
pub(crate) struct History {
    text: String,
    /// The position of `text`; always the beginning of a line.
    start: u64,
    /// How many lines ended before `start`.
    lines_before: u64,
    /// The positions of newlines that the console has not sent.
    added: VecDeque<u64>,
    max: usize,
}

impl History {
    /// Keeps at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            start: 0,
            lines_before: 0,
            added: VecDeque::new(),
            max,
        }
    }

    /// Appends `new`, and evicts the oldest lines if the limit is reached. `added` are
    /// the indices of newlines in `new` that the console has not sent.
    pub(crate) fn append(&mut self, new: &str, added: &[usize]) {
        if self.text.len() + new.len() > self.max {
            self.evict_oldest(new.len());
        }
        self.reserve(new.len());
        let end = self.end();
        self.added
            .extend(added.iter().map(|index| end + *index as u64));
        self.text.push_str(new);
    }

    /// Frees space for `needed` bytes by evicting whole lines, at least a quarter
    /// of the memory, because each eviction moves the remaining text.
    fn evict_oldest(&mut self, needed: usize) {
        let too_many = (self.text.len() + needed).saturating_sub(self.max);
        let at_least = too_many.max(self.max / 4).min(self.text.len());
        let line_end = memchr(b'\n', &self.text.as_bytes()[at_least..]);
        // Without a newline, the last line fills the memory.
        let end = line_end.map_or(self.text.len(), |n| at_least + n + 1);
        self.lines_before += count_lines(&self.text[..end]);
        self.start += end as u64;
        self.text.drain(..end);
        let evicted = self.added.partition_point(|newline| *newline < self.start);
        self.added.drain(..evicted);
    }

    /// Grows the capacity like `String`, but never beyond `max`.
    fn reserve(&mut self, additional: usize) {
        let needed = self.text.len() + additional;
        if needed > self.text.capacity() {
            let doubled = (2 * self.text.capacity()).min(self.max).max(needed);
            self.text.reserve_exact(doubled - self.text.len());
        }
    }

    /// The position of the oldest byte in memory.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The position of the next byte to be appended.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }

    /// The text in memory from `position` on.
    pub(crate) fn since(&self, position: u64) -> &str {
        &self.text[self.index(position)..]
    }

    /// The text in memory from `position` on, without added newlines.
    pub(crate) fn sent_since(&self, position: u64) -> String {
        let mut start = self.index(position);
        let mut text = String::with_capacity(self.text.len() - start);
        let first = self.added.partition_point(|newline| *newline < position);
        for newline in self.added.range(first..) {
            let newline = self.index(*newline);
            text.push_str(&self.text[start..newline]);
            start = newline + 1;
        }
        text + &self.text[start..]
    }

    /// The character before `position`, if in memory.
    pub(crate) fn char_before(&self, position: u64) -> Option<char> {
        self.text[..self.index(position)].chars().next_back()
    }

    /// The number of the line at `position`, starting at 1.
    pub(crate) fn line_number(&self, position: u64) -> u64 {
        self.lines_before + count_lines(&self.text[..self.index(position)]) + 1
    }

    /// The last `count` lines, including an unfinished one.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<&str> {
        let text = self.text.strip_suffix('\n').unwrap_or(&self.text);
        if count == 0 || self.text.is_empty() {
            return Vec::new();
        }
        let before = memrchr_iter(b'\n', text.as_bytes()).nth(count - 1);
        text[before.map_or(0, |end| end + 1)..]
            .split('\n')
            .collect()
    }

    /// `position` as an index of `text`; evicted positions map to its start.
    fn index(&self, position: u64) -> usize {
        let index = position.saturating_sub(self.start);
        usize::try_from(index).map_or(self.text.len(), |i| i.min(self.text.len()))
    }
}

fn count_lines(text: &str) -> u64 {
    memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn positions_stay_valid_after_eviction() {
        let mut history = History::new(40);
        for n in 0..10 {
            history.append(&format!("line {n}\n"), &[]);
        }
        assert_eq!(history.end(), 70);
        assert_eq!(history.start(), 42);
        assert_eq!(history.since(0), "line 6\nline 7\nline 8\nline 9\n");
        assert_eq!(history.since(63), "line 9\n");
        assert_eq!(history.line_number(63), 10);
        assert_eq!(history.line_number(42), 7);
    }

    #[test]
    fn never_keeps_more_than_its_bound() {
        let mut history = History::new(1000);
        for n in 0..500 {
            history.append(&"x".repeat(n % 90), &[]);
            history.append("\n", &[]);
            assert!(history.text.capacity() <= 1000);
            assert!(history.text.len() >= 600 || history.start() == 0);
        }
    }

    #[test]
    fn a_line_that_fills_the_memory_is_evicted_as_a_whole() {
        let mut history = History::new(10);
        history.append("0123456789", &[]);
        history.append("a", &[]);
        assert_eq!((history.start(), history.since(0)), (10, "a"));
    }

    #[test]
    fn added_newlines_are_not_sent() {
        let mut history = History::new(40);
        history.append("one\ntwo\nthree\n", &[3]);
        history.append("end\n", &[3]);
        assert_eq!(history.since(0), "one\ntwo\nthree\nend\n");
        assert_eq!(history.sent_since(0), "onetwo\nthree\nend");
        assert_eq!(history.sent_since(3), "two\nthree\nend");
        assert_eq!(history.sent_since(4), "two\nthree\nend");
        history.append(&"x".repeat(25), &[]);
        assert_eq!(history.sent_since(0).len(), history.since(0).len() - 1);
        assert_eq!(history.added.len(), 1);
    }

    #[test]
    fn last_lines_include_the_unfinished_one() {
        let mut history = History::new(100);
        assert_eq!(history.last_lines(3), Vec::<&str>::new());
        history.append("one\n\nthree\n", &[]);
        assert_eq!(history.last_lines(2), ["", "three"]);
        history.append("login: ", &[]);
        assert_eq!(history.last_lines(2), ["three", "login: "]);
        assert_eq!(history.last_lines(9), ["one", "", "three", "login: "]);
    }
}
