//! Lines put together again.
//!
//! Looking for sparse text, Tesseract tears a line of a console apart wherever
//! spaces are above each other.

use crate::{Place, Word};

/// Of the height of its text: a wider gap ends a line.
const MAX_GAP: u32 = 3;

/// Makes whole lines of pieces of lines. The result goes from top to bottom,
/// each line from left to right. No piece may be empty.
pub(crate) fn join(pieces: Vec<Vec<Word>>) -> Vec<Vec<Word>> {
    let mut pieces: Vec<_> = pieces.into_iter().filter_map(Line::new).collect();
    pieces.sort_by_key(|piece| (piece.end.x, piece.end.y));
    let mut lines: Vec<Line> = Vec::new();
    for piece in pieces {
        let before = lines.iter_mut().filter(|line| line.continues_with(&piece));
        match before.max_by_key(|line| line.end.x + line.end.width) {
            Some(line) => line.append(piece),
            None => lines.push(piece),
        }
    }
    lines.sort_by_key(|line| (line.place.y, line.place.x));
    lines.into_iter().map(|line| line.words).collect()
}

struct Line {
    words: Vec<Word>,
    place: Place,
    /// The place of the last piece.
    end: Place,
}

impl Line {
    /// Of one piece.
    fn new(words: Vec<Word>) -> Option<Self> {
        let place = words.iter().map(|word| word.place).reduce(Place::with)?;
        Some(Self {
            words,
            place,
            end: place,
        })
    }

    /// Whether this piece, which begins no further left, is at the same height
    /// and close enough.
    fn continues_with(&self, piece: &Self) -> bool {
        let (a, b) = (self.end, piece.end);
        let height = a.height.min(b.height);
        let top = a.y.max(b.y);
        let bottom = (a.y + a.height).min(b.y + b.height);
        let overlaps = bottom.saturating_sub(top) * 2 > height;
        let right = a.x + a.width;
        // Boxes of neighbours may share a column or two.
        let follows = b.x + height / 2 >= right;
        overlaps && follows && b.x.saturating_sub(right) <= a.height.max(b.height) * MAX_GAP
    }

    fn append(&mut self, piece: Self) {
        self.place = self.place.with(piece.place);
        self.end = piece.end;
        self.words.extend(piece.words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, [x, y, width, height]: [u32; 4]) -> Word {
        Word {
            text: text.to_owned(),
            place: Place {
                x,
                y,
                width,
                height,
            },
            confidence: 90.0,
            line: 0,
        }
    }

    #[test]
    fn what_was_torn_apart_is_whole_again() {
        let pieces = [
            word("ok", [200, 20, 18, 11]),
            word("not", [111, 3, 27, 10]),
            word("could", [60, 2, 45, 12]),
            word("Booting", [0, 18, 63, 13]),
            word("boot", [0, 2, 54, 11]),
            word("from", [70, 18, 36, 12]),
        ];
        let lines = join(pieces.into_iter().map(|word| vec![word]).collect());
        let lines = lines
            .iter()
            .map(|words| words.iter().map(|word| &*word.text).collect());
        let lines: Vec<Vec<_>> = lines.collect();
        assert_eq!(
            lines,
            [
                vec!["boot", "could", "not"],
                vec!["Booting", "from"],
                vec!["ok"]
            ]
        );
    }
}
