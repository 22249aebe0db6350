//! Lines assembled from their pieces.
//!
//! In its mode for sparse text, Tesseract splits a console's line wherever spaces are
//! above each other.

use crate::{Rect, Word};

/// A wider gap ends a line; in heights of its text.
const MAX_GAP: u32 = 3;

/// Assembles lines from pieces, none of which may be empty. The lines are sorted from
/// top to bottom, the words of each from left to right.
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
    sort_by_rows(&mut lines, |line| line.bounds);
    lines.into_iter().map(|line| line.words).collect()
}

/// Sorts from top to bottom, and what is at the same height from left to right.
pub(crate) fn sort_by_rows<T>(items: &mut [T], bounds: impl Fn(&T) -> Rect) {
    items.sort_by_key(|item| (bounds(item).y, bounds(item).x));
    let mut start = 0;
    while start < items.len() {
        let first = bounds(&items[start]);
        let in_row = |item: &&T| first.has_middle_of(bounds(item));
        let length = items[start..].iter().take_while(in_row).count();
        let row = &mut items[start..start + length.max(1)];
        row.sort_by_key(|item| bounds(item).x);
        start += row.len();
    }
}

struct Line {
    words: Vec<Word>,
    bounds: Rect,
    /// The bounds of the last piece.
    end: Rect,
}

impl Line {
    /// A line of one piece.
    fn new(words: Vec<Word>) -> Option<Self> {
        let bounds = words.iter().map(|word| word.rect).reduce(Rect::union)?;
        Some(Self {
            words,
            bounds,
            end: bounds,
        })
    }

    /// Whether `piece`, which does not begin further left, is at the same height and
    /// close enough.
    fn continues_with(&self, piece: &Self) -> bool {
        let (a, b) = (self.end, piece.end);
        let height = a.height.min(b.height);
        let right = a.x + a.width;
        // Rectangles of neighbours may overlap by a column or two.
        let follows = b.x + height / 2 >= right;
        a.is_beside(b) && follows && b.x.saturating_sub(right) <= a.height.max(b.height) * MAX_GAP
    }

    fn append(&mut self, piece: Self) {
        self.bounds = self.bounds.union(piece.bounds);
        self.end = piece.end;
        self.words.extend(piece.words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_are_joined() {
        let pieces = [
            Word::at([200, 20, 18, 11], "ok"),
            Word::at([111, 3, 27, 10], "not"),
            Word::at([60, 2, 45, 12], "could"),
            Word::at([0, 18, 63, 13], "Booting"),
            Word::at([0, 2, 54, 11], "boot"),
            Word::at([70, 18, 36, 12], "from"),
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
