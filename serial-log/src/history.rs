//! The log's last bytes in memory, with their positions in the whole log.

use memchr::{memchr, memchr_iter, memrchr_iter};

/// The text of a console as far as it is remembered.
///
/// The log is one text: every line followed by `\n`, then the last line as far
/// as it has come. It only ever grows. A position is a byte's offset in that
/// text from the very beginning, whether or not the beginning is remembered.
#[derive(Debug)]
pub(crate) struct History {
    text: String,
    /// Where `text` begins; always the beginning of a line.
    start: u64,
    /// How many lines ended before `start`.
    lines_before: u64,
    max: usize,
}

impl History {
    /// Remembers `max` bytes at most.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            start: 0,
            lines_before: 0,
            max,
        }
    }

    /// Appends what came, dropping the oldest lines when there is no room.
    pub(crate) fn append(&mut self, new: &str) {
        if self.text.len() + new.len() > self.max {
            self.drop_oldest(new.len());
        }
        self.reserve(new.len());
        self.text.push_str(new);
    }

    /// Makes room for `wanted` bytes: whole lines go, and at least a quarter of
    /// all at once, because the rest has to be moved each time.
    fn drop_oldest(&mut self, wanted: usize) {
        let too_many = (self.text.len() + wanted).saturating_sub(self.max);
        let at_least = too_many.max(self.max / 4).min(self.text.len());
        let line_end = memchr(b'\n', &self.text.as_bytes()[at_least..]);
        // Without a line's end, the last line has filled the memory.
        let end = line_end.map_or(self.text.len(), |n| at_least + n + 1);
        self.lines_before += count_lines(&self.text[..end]);
        self.start += end as u64;
        self.text.drain(..end);
    }

    /// As `String` would, but never beyond the bound.
    fn reserve(&mut self, wanted: usize) {
        let needed = self.text.len() + wanted;
        if needed > self.text.capacity() {
            let doubled = (2 * self.text.capacity()).min(self.max).max(needed);
            self.text.reserve_exact(doubled - self.text.len());
        }
    }

    /// The position of the oldest byte remembered.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The position of the byte to come next.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }

    /// What is remembered from `position` on.
    pub(crate) fn since(&self, position: u64) -> &str {
        &self.text[self.index(position)..]
    }

    /// The character before `position`, if remembered.
    pub(crate) fn char_before(&self, position: u64) -> Option<char> {
        self.text[..self.index(position)].chars().next_back()
    }

    /// The number of the line in which `position` stands, from 1.
    pub(crate) fn line_number(&self, position: u64) -> u64 {
        self.lines_before + count_lines(&self.text[..self.index(position)]) + 1
    }

    /// The last `count` lines; the last one may not have ended.
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

    /// `position` as an index of `text`; what is forgotten counts as its start.
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
    fn positions_outlive_what_was_dropped() {
        let mut history = History::new(40);
        for n in 0..10 {
            history.append(&format!("line {n}\n"));
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
            history.append(&"x".repeat(n % 90));
            history.append("\n");
            assert!(history.text.capacity() <= 1000);
            assert!(history.text.len() >= 600 || history.start() == 0);
        }
    }

    #[test]
    fn a_line_that_fills_the_memory_goes_as_a_whole() {
        let mut history = History::new(10);
        history.append("0123456789");
        history.append("a");
        assert_eq!((history.start(), history.since(0)), (10, "a"));
    }

    #[test]
    fn last_lines_counts_the_unfinished_one() {
        let mut history = History::new(100);
        assert_eq!(history.last_lines(3), Vec::<&str>::new());
        history.append("one\n\nthree\n");
        assert_eq!(history.last_lines(2), ["", "three"]);
        history.append("login: ");
        assert_eq!(history.last_lines(2), ["three", "login: "]);
        assert_eq!(history.last_lines(9), ["one", "", "three", "login: "]);
    }
}
