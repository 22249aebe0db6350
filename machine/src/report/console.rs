//! Recorded serial consoles.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use super::files::Files;
use super::timestamp::Timestamp;
use super::truncated::json_len;

/// The maximum size of a console, and of all consoles on a page.
const MAX: Size = Size {
    lines: 200_000,
    bytes: 16 << 20,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    lines: usize,
    bytes: usize,
}

/// A line and when it was received.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// A console. If it is long, its head and tail are stored here, and all lines in a file.
#[derive(Debug, Default)]
pub(super) struct Console {
    head: Vec<Line>,
    tail: VecDeque<Line>,
    head_bytes: usize,
    tail_bytes: usize,
    /// The number of lines between head and tail.
    left_out: usize,
    whole: Option<WholeConsole>,
}

/// The file with all lines.
#[derive(Debug)]
struct WholeConsole {
    name: String,
    file: BufWriter<File>,
}

impl Console {
    pub(super) fn push(&mut self, at: Timestamp, text: &str, files: &mut Files) {
        let text = serial_log::printable(text).into_owned();
        if let Some(whole) = &mut self.whole {
            // Without the file, there are still head and tail.
            let _ = writeln!(whole.file, "{text}");
        }
        let max = MAX.half();
        let bytes = json_len(&text);
        let line = Line { at, text };
        let has_only_head = self.left_out == 0 && self.tail.is_empty();
        if has_only_head && self.head.len() < max.lines && self.head_bytes < max.bytes {
            self.head_bytes += bytes;
            self.head.push(line);
            return;
        }
        self.tail_bytes += bytes;
        self.tail.push_back(line);
        self.shorten_tail(max, files);
    }

    fn shorten_tail(&mut self, max: Size, files: &mut Files) {
        while self.tail.len() > max.lines || self.tail_bytes > max.bytes {
            if self.left_out == 0 {
                self.create_file(files);
            }
            let first = self.tail.pop_front();
            self.tail_bytes -= first.map_or(0, |line| json_len(&line.text));
            self.left_out += 1;
        }
    }

    /// The size of head and tail.
    fn size(&self) -> Size {
        Size {
            lines: self.lines().count(),
            bytes: self.head_bytes + self.tail_bytes,
        }
    }

    /// Shortens head and tail to at most half of `max` each.
    fn shorten(&mut self, max: Size, files: &mut Files) {
        let size = self.size();
        if size.lines <= max.lines && size.bytes <= max.bytes {
            return;
        }
        let half = max.half();
        while (self.head.len() > half.lines || self.head_bytes > half.bytes)
            && let Some(last) = self.head.pop()
        {
            let bytes = json_len(&last.text);
            self.head_bytes -= bytes;
            if self.left_out > 0 {
                self.left_out += 1;
                continue;
            }
            self.tail_bytes += bytes;
            self.tail.push_front(last);
        }
        self.shorten_tail(half, files);
    }

    /// Creates the file with all lines. Called before the first line is dropped.
    fn create_file(&mut self, files: &mut Files) {
        let Ok((name, file)) = files.create("console") else {
            return;
        };
        let mut file = BufWriter::new(file);
        for line in self.lines() {
            let _ = writeln!(file, "{}", line.text);
        }
        self.whole = Some(WholeConsole { name, file });
    }

    fn flush(&mut self) {
        if let Some(whole) = &mut self.whole {
            let _ = whole.file.flush();
        }
    }

    /// The lines of head and tail.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.head.iter().chain(&self.tail)
    }
}

impl Size {
    fn half(self) -> Self {
        Self {
            lines: self.lines / 2,
            bytes: self.bytes / 2,
        }
    }
}

/// Shortens the longest consoles to the same size, so that all fit on one page.
pub(super) fn fit_on_page<'a>(consoles: impl Iterator<Item = &'a mut Console>, files: &mut Files) {
    let mut consoles: Vec<&mut Console> = consoles.collect();
    let sizes: Vec<Size> = consoles.iter().map(|console| console.size()).collect();
    let lines = sizes.iter().map(|size| size.lines).collect();
    let bytes = sizes.iter().map(|size| size.bytes).collect();
    let max = Size {
        lines: max_share(lines, MAX.lines),
        bytes: max_share(bytes, MAX.bytes),
    };
    for console in &mut consoles {
        console.shorten(max, files);
        console.flush();
    }
}

/// The limit of each size with which their sum is at most `max`.
fn max_share(mut sizes: Vec<usize>, max: usize) -> usize {
    sizes.sort_unstable();
    let mut rest = max;
    for (number, size) in sizes.iter().enumerate() {
        let share = rest / (sizes.len() - number);
        if *size > share {
            return share;
        }
        rest -= size;
    }
    max
}

/// By column, with times as differences: a third shorter than line by line.
impl Serialize for Console {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let times = self.lines().map(|line| {
            let at = line.at.millis();
            let difference = at.saturating_sub(last);
            last = at;
            difference
        });
        let times: Vec<u64> = times.collect();
        let lines: Vec<&str> = self.lines().map(|line| line.text.as_str()).collect();
        let mut console = serializer.serialize_struct("Console", 5)?;
        console.serialize_field("times", &times)?;
        console.serialize_field("lines", &lines)?;
        console.serialize_field("head", &self.head.len())?;
        console.serialize_field("left_out", &self.left_out)?;
        let file = self.whole.as_ref().map(|whole| &whole.name);
        console.serialize_field("file", &file)?;
        console.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_long_console_has_head_and_tail_and_a_file() {
        let (mut console, mut files) = (Console::default(), Files::default());
        let (count, at) = (MAX.lines * 3, Timestamp::now(Instant::now()));
        for number in 0..count {
            console.push(at, &format!("line {number}"), &mut files);
        }
        console.flush();
        let lines: Vec<&Line> = console.lines().collect();
        assert_eq!(lines.len(), MAX.lines);
        assert_eq!(console.left_out, count - MAX.lines);
        assert_eq!(lines[0].text, "line 0");
        assert_eq!(lines[MAX.lines - 1].text, format!("line {}", count - 1));

        let dir = tempfile::tempdir().unwrap();
        files.copy_to(&dir.path().join("files")).unwrap();
        let name = &console.whole.as_ref().unwrap().name;
        let whole = std::fs::read_to_string(dir.path().join("files").join(name)).unwrap();
        let expected = (0..count).map(|number| format!("line {number}"));
        assert!(whole.lines().eq(expected), "{} bytes", whole.len());
    }

    #[test]
    fn long_lines_count_by_length() {
        let (mut console, mut files) = (Console::default(), Files::default());
        let line = "x".repeat(1 << 20);
        let at = Timestamp::now(Instant::now());
        (0..40).for_each(|_| console.push(at, &line, &mut files));
        assert_eq!(console.lines().count(), 16);
        assert_eq!(console.left_out, 24);
    }

    #[test]
    fn all_consoles_fit_on_a_page() {
        let mut files = Files::default();
        let at = Timestamp::now(Instant::now());
        let mut consoles = [10, 150_000, 250_000, 150_000].map(|count| {
            let mut console = Console::default();
            (0..count).for_each(|number| console.push(at, &number.to_string(), &mut files));
            console
        });
        fit_on_page(consoles.iter_mut(), &mut files);
        // The page is written again after another line.
        for console in &mut consoles {
            console.push(at, "the last", &mut files);
        }
        fit_on_page(consoles.iter_mut(), &mut files);
        let sizes = consoles.each_ref().map(|console| console.size().lines);
        assert_eq!(sizes, [11, 66_663, 66_663, 66_663]);
        for (console, count) in consoles.iter().zip([10, 150_000, 250_000, 150_000]) {
            assert_eq!(console.lines().last().unwrap().text, "the last");
            assert_eq!(console.left_out, count + 1 - console.lines().count());
        }
        assert_eq!(consoles[1].head.last().unwrap().text, "33330");

        let dir = tempfile::tempdir().unwrap();
        files.copy_to(&dir.path().join("files")).unwrap();
        let name = &consoles[1].whole.as_ref().unwrap().name;
        let whole = std::fs::read_to_string(dir.path().join("files").join(name)).unwrap();
        assert_eq!(whole.lines().count(), 150_001);
    }
}
