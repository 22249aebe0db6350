//! Words from the table (TSV) that Tesseract writes.

use crate::grey::Geometry;
use crate::lines;
use crate::{Rect, Word};

/// The lines of words of the table. Rows that do not parse are skipped.
pub(crate) fn lines(table: &str, geometry: &Geometry) -> Vec<Vec<Word>> {
    let rows = table.lines().filter_map(|row| parse_row(row, geometry));
    let rows: Vec<_> = rows.collect();
    let pieces = rows.chunk_by(|(a, _), (b, _)| a == b);
    let pieces = pieces.map(|words| words.iter().map(|(_, word)| word.clone()).collect());
    lines::join(pieces.collect())
}

/// The numbers of page, block, paragraph and line, and the word, if the row describes
/// a word.
fn parse_row<'a>(row: &'a str, geometry: &Geometry) -> Option<([&'a str; 4], Word)> {
    let mut columns = row.splitn(12, '\t');
    let mut next = || columns.next();
    if next()? != "5" {
        return None;
    }
    let line = [next()?, next()?, next()?, next()?];
    next()?;
    let mut number = || next()?.parse().ok();
    let rect = geometry.on_screen([number()?, number()?, number()?, number()?]);
    let confidence: f32 = next()?.parse().ok()?;
    let text = next()?.trim();
    let word = Word {
        text: text.to_owned(),
        rect,
        confidence: confidence.clamp(0.0, 100.0),
        line: 0,
    };
    (!text.is_empty()).then_some((line, word))
}

impl Geometry {
    /// Converts left, top, width and height in the picture that Tesseract read.
    fn on_screen(&self, [left, top, width, height]: [u32; 4]) -> Rect {
        let (x, width) = self.side(left, width, self.width);
        let (y, height) = self.side(top, height, self.height);
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    /// Start and length on the screen, whose side has `size` pixels.
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

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::page;
    use crate::word::{self, find_in_line};

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

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    /// The words of the table, numbered.
    fn words() -> Vec<Word> {
        page::assemble(page::blocks(lines(TABLE, &GEOMETRY))).1
    }

    #[test]
    fn a_table_becomes_words_on_the_screen() {
        let words = words();
        let read: Vec<_> = words
            .iter()
            .map(|word| (&*word.text, word.rect, word.confidence, word.line))
            .collect();
        assert_eq!(
            read,
            [
                ("Boot", rect(0, 0, 10, 5), 96.5, 0),
                ("failed:", rect(12, 1, 11, 5), 0.0, 0),
                ("ok", rect(0, 12, 100, 38), 7.0, 1),
            ]
        );
    }

    #[test]
    fn a_match_covers_the_words_it_overlaps() {
        let words = words();
        let found = |pattern| {
            let pattern = Regex::new(pattern).unwrap();
            let lines = word::lines(&words);
            lines
                .flat_map(|line| find_in_line(line, &pattern))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("oot fail"), [rect(0, 0, 23, 6)]);
        assert_eq!(found("^failed"), []);
        assert_eq!(found("failed:$"), [rect(12, 1, 11, 5)]);
        let (boot, ok) = (rect(0, 0, 10, 5), rect(0, 12, 100, 38));
        assert_eq!(found("o"), [boot, boot, ok]);
        assert_eq!(found("x*"), []);
    }

    #[test]
    fn words_are_always_within_the_screen() {
        let small = Geometry {
            width: 1,
            height: 1,
            shrink: 7,
            ..GEOMETRY
        };
        for numbers in [[0; 4], [u32::MAX; 4], [17, 17, 0, 0]] {
            assert_eq!(small.on_screen(numbers), rect(0, 0, 1, 1));
        }
    }
}
