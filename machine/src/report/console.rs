//! The lines of a serial console, with their times.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

use super::files::Files;
use super::moment::Moment;

/// The most lines that are kept, and the most bytes.
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
        let is_head = self.tail.is_empty() && self.head.len() < lines && self.bytes.0 < bytes;
        if let Some(whole) = &mut self.whole {
            // What can't be written is missing there.
            let _ = writeln!(whole.file, "{text}");
        }
        let line = Line { at, text };
        if is_head {
            self.bytes.0 += line.text.len();
            self.head.push(line);
            return;
        }
        self.bytes.1 += line.text.len();
        self.tail.push_back(line);
        while self.tail.len() > lines || self.bytes.1 > bytes {
            if self.left_out == 0 {
                self.begin_file(files);
            }
            let first = self.tail.pop_front();
            self.bytes.1 -= first.map_or(0, |line| line.text.len());
            self.left_out += 1;
        }
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
    pub(super) fn flush(&mut self) {
        if let Some(whole) = &mut self.whole {
            let _ = whole.file.flush();
        }
    }

    /// The lines that are kept.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.head.iter().chain(&self.tail)
    }
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
}
