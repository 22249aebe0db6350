//! The text of a screen, assembled from its parts.

use crate::lines::sort_by_rows;
use crate::word::line_text;
use crate::{Rect, Word};

/// Lines below each other that are not further apart than this belong together; in heights
/// of the upper one.
const MAX_DISTANCE: u32 = 1;

/// Lines that belong together.
pub(crate) struct Block {
    bounds: Rect,
    /// The text of each, and its words.
    lines: Vec<(String, Vec<Word>)>,
}

impl Block {
    /// Returns `None` if all lines are empty.
    pub(crate) fn new(lines: Vec<(String, Vec<Word>)>) -> Option<Self> {
        let places = lines
            .iter()
            .flat_map(|(_, words)| words)
            .map(|word| word.rect);
        let bounds = places.reduce(Rect::union)?;
        Some(Self { bounds, lines })
    }

    /// The bounds of its first line that is not empty.
    fn first_line(&self) -> Rect {
        let mut lines = self.lines.iter().map(|(_, words)| bounds(words));
        lines.find_map(|bounds| bounds).unwrap_or(self.bounds)
    }

    /// Whether a line with these bounds is right below.
    fn continues_with(&self, next: Rect) -> bool {
        let Some(last) = self.lines.last().and_then(|(_, words)| bounds(words)) else {
            return false;
        };
        let bottom = last.y + last.height;
        let is_below = next.y + next.height / 2 >= bottom
            && next.y <= bottom + last.height.min(next.height) * MAX_DISTANCE;
        is_below && next.x < last.x + last.width && last.x < next.x + next.width
    }
}

fn bounds(words: &[Word]) -> Option<Rect> {
    words.iter().map(|word| word.rect).reduce(Rect::union)
}

/// Groups lines, which are sorted from top to bottom.
pub(crate) fn blocks(lines: Vec<Vec<Word>>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for words in lines {
        let Some(bounds) = bounds(&words) else {
            continue;
        };
        let line = (line_text(&words), words);
        match blocks.iter_mut().find(|block| block.continues_with(bounds)) {
            Some(block) => {
                block.bounds = block.bounds.union(bounds);
                block.lines.push(line);
            }
            None => blocks.extend(Block::new(vec![line])),
        }
    }
    blocks
}

/// The text of the blocks, from top to bottom, and their words with the numbers of their
/// lines.
pub(crate) fn assemble(mut blocks: Vec<Block>) -> (String, Vec<Word>) {
    sort_by_rows(&mut blocks, Block::first_line);
    let mut words = Vec::new();
    let mut texts = Vec::new();
    let mut number = 0;
    for block in blocks {
        let mut lines = Vec::new();
        for (text, line) in block.lines {
            lines.push(text);
            number += usize::from(!line.is_empty());
            words.extend(line.into_iter().map(|word| Word {
                line: number - 1,
                ..word
            }));
        }
        texts.push(lines.join("\n").trim_matches('\n').to_owned());
    }
    (texts.join("\n\n"), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of characters of 8×10 pixels.
    fn line(text: &str, mut x: u32, y: u32) -> Vec<Word> {
        let words = text.split(' ').map(|text| {
            let width = 8 * u32::try_from(text.len()).unwrap();
            let word = Word::at([x, y, width, 10], text);
            x += width + 8;
            word
        });
        words.collect()
    }

    fn text(lines: impl Into<Vec<Vec<Word>>>) -> String {
        assemble(blocks(lines.into())).0
    }

    #[test]
    fn lines_right_below_each_other_are_a_block() {
        // The last line is shorter, the second one is not at the same left edge.
        let paragraph = [
            line("one two three", 0, 0),
            line("four five", 20, 14),
            line("six", 0, 30),
        ];
        assert_eq!(text(paragraph), "one two three\nfour five\nsix");
    }

    #[test]
    fn an_empty_line_separates_blocks() {
        let paragraphs = [line("one", 0, 0), line("two", 0, 14), line("three", 0, 42)];
        assert_eq!(text(paragraphs), "one\ntwo\n\nthree");
    }

    #[test]
    fn columns_are_blocks() {
        let columns = [
            line("left", 0, 0),
            line("right", 200, 1),
            line("below left", 0, 14),
            line("below right", 200, 15),
        ];
        assert_eq!(text(columns), "left\nbelow left\n\nright\nbelow right");
    }

    #[test]
    fn words_have_the_numbers_of_their_lines() {
        let (_, words) = assemble(blocks(vec![
            line("one two", 0, 0),
            line("other", 200, 0),
            line("three", 0, 14),
        ]));
        let numbered: Vec<_> = words.iter().map(|word| (&*word.text, word.line)).collect();
        assert_eq!(
            numbered,
            [("one", 0), ("two", 0), ("three", 1), ("other", 2)]
        );
    }
}
