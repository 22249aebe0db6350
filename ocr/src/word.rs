//! Words with their rectangles, and the search in lines of them.

use regex::Regex;

use crate::Rect;

/// A word on a screen: characters between two pieces of white space.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Word {
    /// Never empty.
    pub text: String,
    /// Where it is on the screen.
    pub rect: Rect,
    /// How certain the text is, from 0 to 100. A text console's words have 100.
    pub confidence: f32,
    /// The number of the word's line, counted from 0 at the top. Words far apart are
    /// in different lines even at the same height. On a text console, its row.
    pub line: usize,
}

#[cfg(test)]
impl Word {
    /// A word of the first line, for tests.
    pub(crate) fn at([x, y, width, height]: [u32; 4], text: &str) -> Self {
        Self {
            text: text.to_owned(),
            rect: Rect {
                x,
                y,
                width,
                height,
            },
            confidence: 90.0,
            line: 0,
        }
    }
}

/// The words, separated by one space.
pub(crate) fn line_text(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(|word| &*word.text).collect();
    words.join(" ")
}

/// The words of each line.
pub(crate) fn lines(words: &[Word]) -> impl Iterator<Item = &[Word]> {
    words.chunk_by(|a, b| a.line == b.line)
}

/// The matches in a line. A match's rectangle contains all words that it overlaps.
pub(crate) fn find_in_line(words: &[Word], pattern: &Regex) -> Vec<Rect> {
    let line = line_text(words);
    let mut start = 0;
    // The position of each word in `line`.
    let spans: Vec<_> = words
        .iter()
        .map(|word| {
            let span = start..start + word.text.len();
            start = span.end + 1;
            (span, word.rect)
        })
        .collect();
    let rect_of = |found: regex::Match<'_>| {
        let words = spans.iter();
        words
            .filter(|(span, _)| span.start < found.end() && found.start() < span.end)
            .map(|&(_, rect)| rect)
            .reduce(Rect::union)
    };
    let matches = pattern.find_iter(&line).filter(|found| !found.is_empty());
    matches.filter_map(rect_of).collect()
}
