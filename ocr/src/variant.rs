//! Tesseract's interpretations of a screen.

use std::fmt;

use regex::Regex;

use crate::word::{self, find_in_line, line_text};
use crate::{Rect, Word};

/// The text that one engine reads in one picture of the screen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variant {
    /// The lines, each on a line of its own; blocks of lines, such as windows, are separated
    /// by an empty line. Monospaced text keeps its spaces. Empty if there is no text.
    pub text: String,
    /// The words of the same text, line by line.
    pub words: Vec<Word>,
    /// The picture that was read.
    pub picture: Picture,
    /// The engine that read it.
    pub engine: Engine,
}

impl Variant {
    /// The lines of the screen, their words separated by one space.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        word::lines(&self.words).map(line_text)
    }

    /// The matches of `pattern` in lines; if there are none, in [rows](Self::rows).
    pub(crate) fn find(&self, pattern: &Regex) -> Vec<Rect> {
        let in_lines = word::lines(&self.words).flat_map(|line| find_in_line(line, pattern));
        let in_lines: Vec<Rect> = in_lines.collect();
        if !in_lines.is_empty() {
            return in_lines;
        }
        let rows = self.rows();
        let in_rows = rows.iter().flat_map(|row| find_in_line(row, pattern));
        in_rows.collect()
    }

    /// All words at the same height, however far apart they are, from left to right.
    pub(crate) fn rows(&self) -> Vec<Vec<Word>> {
        let mut rows: Vec<Vec<Word>> = Vec::new();
        for line in word::lines(&self.words) {
            match rows
                .iter_mut()
                .find(|row| row.iter().any(|word| word.rect.is_beside(line[0].rect)))
            {
                Some(row) => row.extend_from_slice(line),
                None => rows.push(line.to_vec()),
            }
        }
        for row in &mut rows {
            row.sort_by_key(|word| word.rect.x);
        }
        rows
    }
}

/// A form of the screen that an engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Picture {
    /// All text dark on white, whatever its colour and its background's. Only made of
    /// screens with flat backgrounds. Text is found and read line by line, monospaced text by
    /// its glyphs.
    Processed,
    /// In grey, stretched to the range from black to white.
    Raw,
    /// The negative of `Raw`.
    Negated,
}

/// An engine of Tesseract. Language data need not contain all of them: Debian's
/// contains only [`Lstm`](Self::Lstm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// Compares shapes; mode 0 of Tesseract.
    Legacy,
    /// The neural network; mode 1 of Tesseract.
    Lstm,
    /// Both combined; mode 2 of Tesseract.
    Both,
}

impl Engine {
    /// The most promising first.
    pub(crate) const ALL: [Self; 3] = [Self::Lstm, Self::Both, Self::Legacy];
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Lstm => "LSTM",
            Self::Both => "legacy and LSTM",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_all_words_at_the_same_height() {
        let word = |text, x, y, line| Word {
            line,
            ..Word::at([x, y, 40, 10], text)
        };
        let variant = Variant {
            text: String::new(),
            words: vec![
                word("Disk", 10, 3, 0),
                word("full", 900, 1, 1),
                word("is", 400, 4, 2),
                word("below", 10, 14, 3),
            ],
            picture: Picture::Raw,
            engine: Engine::Lstm,
        };
        let rows: Vec<String> = variant.rows().iter().map(|row| line_text(row)).collect();
        assert_eq!(rows, ["Disk is full", "below"]);
        assert_eq!(variant.lines().count(), 4);
        let find = |pattern| variant.find(&Regex::new(pattern).unwrap());
        assert_eq!(find(r"\bis\b")[0].x, 400);
        assert_eq!(find("is full")[0].width, 540);
        assert_eq!(find("full below"), []);
    }
}
