//! Tesseract's interpretations of a screen.

use std::fmt;

use crate::Word;
use crate::word::line_text;

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
        let lines = self.words.chunk_by(|a, b| a.line == b.line);
        lines.map(line_text)
    }

    /// The text of all words at the same height, however far apart they are, separated by
    /// one space.
    pub(crate) fn rows(&self) -> Vec<String> {
        let lines = self.words.chunk_by(|a, b| a.line == b.line);
        let mut rows: Vec<Vec<Word>> = Vec::new();
        for line in lines {
            match rows
                .iter_mut()
                .find(|row| row.iter().any(|word| word.is_beside(&line[0])))
            {
                Some(row) => row.extend_from_slice(line),
                None => rows.push(line.to_vec()),
            }
        }
        for row in &mut rows {
            row.sort_by_key(|word| word.place.x);
        }
        rows.iter().map(|row| line_text(row)).collect()
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
    use crate::Rect;

    #[test]
    fn rows_have_all_words_at_the_same_height() {
        let word = |text: &str, x, y, line| Word {
            text: text.to_owned(),
            place: Rect {
                x,
                y,
                width: 40,
                height: 10,
            },
            confidence: 90.0,
            line,
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
        assert_eq!(variant.rows(), ["Disk is full", "below"]);
        assert_eq!(variant.lines().count(), 4);
    }
}
