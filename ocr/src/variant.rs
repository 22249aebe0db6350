//! One of several interpretations of a screen.

use std::fmt;

use crate::Word;
use crate::word::line_text;

/// What one engine reads in one picture of the screen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variant {
    /// Line by line, sparse lines apart by an empty one; no white space around
    /// it. Empty if there is no text.
    pub text: String,
    /// The same text's words with their places, line by line.
    pub words: Vec<Word>,
    /// What the engine saw.
    pub picture: Picture,
    /// Which one it was.
    pub engine: Engine,
}

impl Variant {
    /// The lines of the screen, with one space between two words. Tesseract
    /// tears lines apart where it takes a gap for the space between columns:
    /// unlike in [`text`](Self::text), they are whole here.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let lines = self.words.chunk_by(|a, b| a.line == b.line);
        lines.map(line_text)
    }
}

/// What is made of a screen before an engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Picture {
    /// All text dark on white, whatever its colour and the background's; for
    /// screens whose backgrounds are flat.
    Processed,
    /// In grey, from black to white.
    Raw,
    /// The negative of that.
    Negated,
}

/// An engine of Tesseract's. Language data need not have all of them: Debian's
/// has the second one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The old one, which compares shapes. Tesseract's number 0.
    Legacy,
    /// The neural network. Tesseract's number 1.
    Lstm,
    /// The one with the other's help. Tesseract's number 2.
    Both,
}

impl Engine {
    /// The one that promises most first.
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
