//! Which words of a grid Tesseract reads: each glyph in some different words, because equal
//! words are read equally.

use std::collections::HashSet;

use super::cells::Cells;

/// A glyph in this many words is not looked for in others.
const ENOUGH: usize = 12;

/// The number of cells in a line, without those between words.
const LINE: usize = 64;

/// A word: the indices of its glyphs.
pub(super) type Token = Vec<usize>;

/// Lines of words to read. Cells for which `is_text` is false are blank.
pub(super) fn lines(cells: &Cells, is_text: impl Fn(usize) -> bool) -> Vec<Vec<Token>> {
    let mut seen: HashSet<&[Option<usize>]> = HashSet::new();
    let mut words = vec![0_usize; cells.glyphs.len()];
    let mut lines: Vec<Vec<Token>> = Vec::new();
    let mut length = LINE;
    for row in cells.rows() {
        let tokens = row.split(|cell| !cell.is_some_and(&is_text));
        for token in tokens.filter(|token| !token.is_empty()) {
            let glyphs: Vec<usize> = token.iter().flatten().copied().collect();
            if !seen.insert(token) || glyphs.iter().all(|&glyph| words[glyph] >= ENOUGH) {
                continue;
            }
            let distinct: HashSet<usize> = glyphs.iter().copied().collect();
            for glyph in distinct {
                words[glyph] += 1;
            }
            if length + glyphs.len() > LINE {
                lines.push(Vec::new());
                length = 0;
            }
            length += glyphs.len();
            if let Some(line) = lines.last_mut() {
                line.push(glyphs);
            }
        }
    }
    lines
}
