//! Tesseract's interpretations of a screen.

use std::fmt;

use crate::Word;
use crate::word::line_text;

/// The text that one engine reads in one picture of the screen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variant {
    /// The lines, without surrounding white space; paragraphs are separated by an empty
    /// line. Empty if there is no text.
    pub text: String,
    /// The words of the same text, line by line.
    pub words: Vec<Word>,
    /// The picture that was read.
    pub picture: Picture,
    /// The engine that read it.
    pub engine: Engine,
}

impl Variant {
    /// The lines of the screen, their words separated by one space. In
    /// [`text`](Self::text), lines are split where Tesseract takes a gap for the space
    /// between columns; here they are whole.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let lines = self.words.chunk_by(|a, b| a.line == b.line);
        lines.map(line_text)
    }
}

/// A form of the screen that an engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Picture {
    /// All text dark on white, whatever its colour and its background's. Only made of
    /// screens with flat backgrounds.
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
