//! Corrections of a glyph's character by its shape.

use super::cells::Mask;

/// From here on, a pixel is part of what is drawn.
const INK: u8 = 64;

/// Corrects a character that Tesseract mistakes for another: a comma has a tail, and a
/// period has none.
pub(super) fn correct(char: char, mask: &Mask, width: usize) -> char {
    match char {
        ',' if is_upright(mask, width) => '.',
        ';' if is_upright(mask, width) => ':',
        other => other,
    }
}

/// Whether the upper half is the mirror image of the lower half.
fn is_upright(mask: &Mask, width: usize) -> bool {
    let rows: Vec<&[u8]> = mask.chunks_exact(width).collect();
    let is_drawn = |row: &&[u8]| row.iter().any(|&pixel| pixel >= INK);
    let first = rows.iter().position(is_drawn).unwrap_or(0);
    let last = rows.iter().rposition(is_drawn).unwrap_or(0);
    let pairs = (first..=last).zip((first..=last).rev());
    let mut pixels = pairs.flat_map(|(upper, lower)| rows[upper].iter().zip(rows[lower]));
    pixels.all(|(&a, &b)| a.abs_diff(b) < INK)
}
