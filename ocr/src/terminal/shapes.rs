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

/// Whether two masks are the same, except that one is underlined.
pub(super) fn differ_by_underline(one: &Mask, other: &Mask, width: usize) -> bool {
    let is_same = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= INK);
    let is_blank = |row: &[u8]| row.iter().all(|&pixel| pixel < INK);
    let is_bar = |row: &[u8]| row.iter().all(|&pixel| pixel >= INK);
    let is_underline = |a: &[u8], b: &[u8]| is_bar(a) && is_blank(b) || is_blank(a) && is_bar(b);
    let rows: Vec<(&[u8], &[u8])> = one
        .chunks_exact(width)
        .zip(other.chunks_exact(width))
        .collect();
    let (upper, lower) = rows.split_at(rows.len() * 2 / 3);
    let different = || lower.iter().filter(|(a, b)| !is_same(a, b));
    // An underline is thin, and below the letter.
    upper.iter().all(|(a, b)| is_same(a, b))
        && different().count() <= rows.len().div_ceil(6)
        && different().all(|(a, b)| is_underline(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask<const N: usize>(rows: [&str; N]) -> Mask {
        let drawn = rows.concat();
        let pixels = drawn.bytes().map(|byte| if byte == b'#' { 255 } else { 0 });
        pixels.collect()
    }

    #[test]
    fn underlined_letters_are_recognized() {
        let (none, base, bar) = (".....", ".###.", "#####");
        let stem = "..#..";
        let l = mask([".##..", stem, stem, stem, stem, base, none, none]);
        let underlined = mask([".##..", stem, stem, stem, stem, base, none, bar]);
        let digit = mask(["..#..", ".##..", stem, stem, stem, base, none, none]);
        assert!(differ_by_underline(&l, &underlined, 5));
        assert!(differ_by_underline(&underlined, &l, 5));
        assert!(!differ_by_underline(&l, &digit, 5));
        assert!(!differ_by_underline(&underlined, &digit, 5));
    }
}
