//! Words with their places, from Tesseract's table.

use regex::Regex;

use crate::Place;
use crate::lines;
use crate::preprocess::Geometry;

/// A word of a [`Variant`](crate::Variant), which ends where white space begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Word {
    /// Never empty.
    pub text: String,
    /// Where it is.
    pub place: Place,
    /// How sure Tesseract is of it: 0 to 100.
    pub confidence: f32,
    /// The line that the word is in, counted from 0 and from the top. Words far
    /// apart are in different lines even at the same height.
    pub line: usize,
}

/// The words in a table as Tesseract writes it, line by line. What is not
/// understood in it is left out.
pub(crate) fn words(tsv: &str, geometry: &Geometry) -> Vec<Word> {
    let rows: Vec<_> = tsv.lines().filter_map(|row| parse(row, geometry)).collect();
    let pieces = rows.chunk_by(|(a, _), (b, _)| a == b);
    let pieces = pieces.map(|words| words.iter().map(|(_, word)| word.clone()).collect());
    let numbered = lines::join(pieces.collect()).into_iter().enumerate();
    let words = numbered.flat_map(|(line, words)| {
        let words = words.into_iter();
        words.map(move |word| Word { line, ..word })
    });
    words.collect()
}

/// A row that is a word's, and what its line is called: page, block, paragraph
/// and line.
fn parse<'a>(row: &'a str, geometry: &Geometry) -> Option<([&'a str; 4], Word)> {
    let mut columns = row.splitn(12, '\t');
    let mut next = || columns.next();
    if next()? != "5" {
        return None;
    }
    let line = [next()?, next()?, next()?, next()?];
    next()?;
    let mut number = || next()?.parse().ok();
    let place = geometry.on_screen([number()?, number()?, number()?, number()?]);
    let confidence: f32 = next()?.parse().ok()?;
    let text = next()?.trim();
    let word = Word {
        text: text.to_owned(),
        place,
        confidence: confidence.clamp(0.0, 100.0),
        line: 0,
    };
    (!text.is_empty()).then_some((line, word))
}

impl Geometry {
    /// From left, top, width and height in what Tesseract read.
    fn on_screen(&self, [left, top, width, height]: [u32; 4]) -> Place {
        let (x, width) = self.side(left, width, self.width);
        let (y, height) = self.side(top, height, self.height);
        Place {
            x,
            y,
            width,
            height,
        }
    }

    /// Start and length on the screen.
    fn side(&self, start: u32, length: u32, size: u32) -> (u32, u32) {
        let [margin, scale, shrink, size] =
            [self.margin, self.scale, self.shrink, size].map(u64::from);
        let end = u64::from(start) + u64::from(length);
        let start = u64::from(start).saturating_sub(margin) / scale * shrink;
        let end = end.saturating_sub(margin).div_ceil(scale) * shrink;
        let start = start.min(size - 1);
        let end = end.clamp(start + 1, size);
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        (narrow(start), narrow(end - start))
    }
}

/// One space between two words.
pub(crate) fn line_text(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(|word| &*word.text).collect();
    words.join(" ")
}

/// Where in the lines of these words the pattern matches: the words that a match
/// touches, whole.
pub(crate) fn find(words: &[Word], pattern: &Regex) -> Vec<Place> {
    let lines = words.chunk_by(|a, b| a.line == b.line);
    lines.flat_map(|line| find_in_line(line, pattern)).collect()
}

fn find_in_line(words: &[Word], pattern: &Regex) -> Vec<Place> {
    let line = line_text(words);
    let mut start = 0;
    // Where in it each word is.
    let spans: Vec<_> = words
        .iter()
        .map(|word| {
            let span = start..start + word.text.len();
            start = span.end + 1;
            (span, word.place)
        })
        .collect();
    let touched = |found: regex::Match<'_>| {
        let words = spans.iter();
        words
            .filter(|(span, _)| span.start < found.end() && found.start() < span.end)
            .map(|&(_, place)| place)
            .reduce(Place::with)
    };
    let matches = pattern.find_iter(&line).filter(|found| !found.is_empty());
    matches.filter_map(touched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry {
        width: 100,
        height: 50,
        shrink: 1,
        scale: 2,
        margin: 16,
    };

    const TABLE: &str = "1\t1\t0\t0\t0\t0\t0\t0\t232\t132\t-1\t\n\
        5\t1\t1\t1\t1\t1\t16\t16\t20\t10\t96.5\tBoot\n\
        5\t1\t1\t1\t1\t2\t41\t18\t21\t10\t-1\tfailed:\n\
        5\t1\t1\t1\t2\t1\t16\t40\t999\t999\t7\tok\n\
        5\t1\t1\t1\t2\t2\t16\t40\t10\t10\t95\t \n\
        5\t1\tbroken\n";

    fn place(x: u32, y: u32, width: u32, height: u32) -> Place {
        Place {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_table_becomes_words_on_the_screen() {
        let words = words(TABLE, &GEOMETRY);
        let seen: Vec<_> = words
            .iter()
            .map(|word| (&*word.text, word.place, word.confidence, word.line))
            .collect();
        assert_eq!(
            seen,
            [
                ("Boot", place(0, 0, 10, 5), 96.5, 0),
                ("failed:", place(12, 1, 11, 5), 0.0, 0),
                ("ok", place(0, 12, 100, 38), 7.0, 1),
            ]
        );
    }

    #[test]
    fn a_match_has_the_words_that_it_touches() {
        let words = words(TABLE, &GEOMETRY);
        let found = |pattern| find(&words, &Regex::new(pattern).unwrap());
        assert_eq!(found("oot fail"), [place(0, 0, 23, 6)]);
        assert_eq!(found("^failed"), []);
        assert_eq!(found("failed:$"), [place(12, 1, 11, 5)]);
        let (boot, ok) = (place(0, 0, 10, 5), place(0, 12, 100, 38));
        assert_eq!(found("o"), [boot, boot, ok]);
        assert_eq!(found("x*"), []);
    }

    #[test]
    fn places_never_leave_the_screen() {
        let small = Geometry {
            width: 1,
            height: 1,
            shrink: 7,
            ..GEOMETRY
        };
        for numbers in [[0; 4], [u32::MAX; 4], [17, 17, 0, 0]] {
            assert_eq!(small.on_screen(numbers), place(0, 0, 1, 1));
        }
    }
}
