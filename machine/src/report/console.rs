//! The lines of a serial console, with their times.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use super::files::Files;
use super::timestamp::Moment;
use super::truncated::room;

/// The most lines that are kept, and the most bytes; on a page, of all consoles together.
const MOST: (usize, usize) = (200_000, 16 << 20);

/// A line, and when it came.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Moment,
    pub(super) text: String,
}

/// A console of which the head and the tail are kept, if it is long; then all of it is in a
/// file.
#[derive(Debug, Default)]
pub(super) struct Console {
    head: Vec<Line>,
    tail: VecDeque<Line>,
    /// Of the head, and of the tail.
    bytes: (usize, usize),
    left_out: usize,
    whole: Option<Whole>,
}

#[derive(Debug)]
struct Whole {
    name: String,
    file: BufWriter<File>,
}

impl Console {
    pub(super) fn push(&mut self, at: Moment, text: &str, files: &mut Files) {
        let text = serial_log::printable(text).into_owned();
        let (lines, bytes) = (MOST.0 / 2, MOST.1 / 2);
        let is_whole = self.left_out == 0 && self.tail.is_empty();
        let is_head = is_whole && self.head.len() < lines && self.bytes.0 < bytes;
        if let Some(whole) = &mut self.whole {
            // What can't be written is missing there.
            let _ = writeln!(whole.file, "{text}");
        }
        let line = Line { at, text };
        if is_head {
            self.bytes.0 += room(&line.text);
            self.head.push(line);
            return;
        }
        self.bytes.1 += room(&line.text);
        self.tail.push_back(line);
        self.shorten_tail((lines, bytes), files);
    }

    fn shorten_tail(&mut self, (lines, bytes): (usize, usize), files: &mut Files) {
        while self.tail.len() > lines || self.bytes.1 > bytes {
            if self.left_out == 0 {
                self.begin_file(files);
            }
            let first = self.tail.pop_front();
            self.bytes.1 -= first.map_or(0, |line| room(&line.text));
            self.left_out += 1;
        }
    }

    /// How many lines are kept, and bytes.
    fn size(&self) -> (usize, usize) {
        let (head, tail) = self.bytes;
        (self.lines().count(), head + tail)
    }

    /// Keeps so many lines and bytes at most, half of them of the head.
    fn shorten(&mut self, most: (usize, usize), files: &mut Files) {
        let (lines, bytes) = self.size();
        if lines <= most.0 && bytes <= most.1 {
            return;
        }
        let half = (most.0 / 2, most.1 / 2);
        while (self.head.len() > half.0 || self.bytes.0 > half.1)
            && let Some(last) = self.head.pop()
        {
            let bytes = room(&last.text);
            self.bytes.0 -= bytes;
            if self.left_out > 0 {
                self.left_out += 1;
                continue;
            }
            self.bytes.1 += bytes;
            self.tail.push_front(last);
        }
        self.shorten_tail(half, files);
    }

    /// Writes what there is, before the first line of it goes.
    fn begin_file(&mut self, files: &mut Files) {
        let Ok((name, file)) = files.create("console") else {
            return;
        };
        let mut file = BufWriter::new(file);
        for line in self.lines() {
            let _ = writeln!(file, "{}", line.text);
        }
        self.whole = Some(Whole { name, file });
    }

    /// Writes out what is to be in its file.
    fn flush(&mut self) {
        if let Some(whole) = &mut self.whole {
            let _ = whole.file.flush();
        }
    }

    /// The lines that are kept.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.head.iter().chain(&self.tail)
    }
}

/// Sees to it that consoles have room on one page, together: the longest are cut, all to the
/// same.
pub(super) fn fit<'a>(consoles: impl Iterator<Item = &'a mut Console>, files: &mut Files) {
    let mut consoles: Vec<&mut Console> = consoles.collect();
    let (lines, bytes) = consoles.iter().map(|console| console.size()).unzip();
    let share = (fair_share(lines, MOST.0), fair_share(bytes, MOST.1));
    for console in &mut consoles {
        console.shorten(share, files);
        console.flush();
    }
}

/// How much each may have at most, so that all have no more than `most`.
fn fair_share(mut sizes: Vec<usize>, most: usize) -> usize {
    sizes.sort_unstable();
    let mut rest = most;
    for (number, size) in sizes.iter().enumerate() {
        let share = rest / (sizes.len() - number);
        if *size > share {
            return share;
        }
        rest -= size;
    }
    most
}

/// By columns, and times as differences, which is a third shorter.
impl Serialize for Console {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let times = self.lines().map(|line| {
            let at = line.at.millis();
            let passed = at.saturating_sub(last);
            last = at;
            passed
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
    fn a_flood_leaves_head_and_tail_and_a_file() {
        let (mut console, mut files) = (Console::default(), Files::default());
        let (count, moment) = (MOST.0 * 3, Moment::since(Instant::now()));
        for number in 0..count {
            console.push(moment, &format!("line {number}"), &mut files);
        }
        console.flush();
        let lines: Vec<&Line> = console.lines().collect();
        assert_eq!(lines.len(), MOST.0);
        assert_eq!(console.left_out, count - MOST.0);
        assert_eq!(lines[0].text, "line 0");
        assert_eq!(lines[MOST.0 - 1].text, format!("line {}", count - 1));

        let dir = tempfile::tempdir().unwrap();
        files.place(&dir.path().join("files")).unwrap();
        let name = &console.whole.as_ref().unwrap().name;
        let whole = std::fs::read_to_string(dir.path().join("files").join(name)).unwrap();
        let expected = (0..count).map(|number| format!("line {number}"));
        assert!(whole.lines().eq(expected), "{} bytes", whole.len());
    }

    #[test]
    fn long_lines_count_by_their_length() {
        let (mut console, mut files) = (Console::default(), Files::default());
        let line = "x".repeat(1 << 20);
        let moment = Moment::since(Instant::now());
        (0..40).for_each(|_| console.push(moment, &line, &mut files));
        assert_eq!(console.lines().count(), 16);
        assert_eq!(console.left_out, 24);
    }

    #[test]
    fn all_together_have_room_on_a_page() {
        let mut files = Files::default();
        let moment = Moment::since(Instant::now());
        let mut consoles = [10, 150_000, 250_000, 150_000].map(|count| {
            let mut console = Console::default();
            (0..count).for_each(|number| console.push(moment, &number.to_string(), &mut files));
            console
        });
        fit(consoles.iter_mut(), &mut files);
        // As when the page is written again, with what has come since.
        for console in &mut consoles {
            console.push(moment, "the last", &mut files);
        }
        fit(consoles.iter_mut(), &mut files);
        let sizes = consoles.each_ref().map(|console| console.size().0);
        assert_eq!(sizes, [11, 66_663, 66_663, 66_663]);
        for (console, count) in consoles.iter().zip([10, 150_000, 250_000, 150_000]) {
            assert_eq!(console.lines().last().unwrap().text, "the last");
            assert_eq!(console.left_out, count + 1 - console.lines().count());
        }
        assert_eq!(consoles[1].head.last().unwrap().text, "33330");

        let dir = tempfile::tempdir().unwrap();
        files.place(&dir.path().join("files")).unwrap();
        let name = &consoles[1].whole.as_ref().unwrap().name;
        let whole = std::fs::read_to_string(dir.path().join("files").join(name)).unwrap();
        assert_eq!(whole.lines().count(), 150_001);
    }
}
