//! The character under a cursor.
//!
//! A block cursor is inverse video, which is read like any other. Other shapes change
//! rows in the lower part of the cell:
//! - The kernel's framebuffer console inverts the lowest rows, 1 or 2 for an underline
//!   (`drivers/video/fbdev/core/fbcon.c`, `bit_cursor`).
//! - A VGA fills rows with the text's colour and hides their content. Registers `0x0a`
//!   and `0x0b` of its CRT controller have the first and the last of these rows.

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::fonts::{FaceId, Glyphs};

/// The character of a cell whose bitmap is a glyph of `face` with a cursor over it.
///
/// Returns `None` if there is no such glyph, or if several characters differ only in the
/// rows that the cursor hides. A bar alone is a cursor on a blank.
pub(super) fn char_under(
    bitmap: &mut [u8],
    size: CellSize,
    glyphs: &Glyphs,
    face: FaceId,
) -> Option<char> {
    let mut plain_or_inverse = |read: fn(&[u8], CellSize, &Glyphs, FaceId) -> Option<char>| {
        read(bitmap, size, glyphs, face).or_else(|| {
            invert(bitmap, size);
            let reading = read(bitmap, size, glyphs, face);
            invert(bitmap, size);
            reading
        })
    };
    plain_or_inverse(blank)
        .or_else(|| plain_or_inverse(inverted))
        .or_else(|| plain_or_inverse(filled))
}

/// A blank, if there is nothing but a bar.
fn blank(bitmap: &[u8], size: CellSize, _: &Glyphs, _: FaceId) -> Option<char> {
    let full = full_row(size);
    let rows: Vec<_> = bitmap.chunks_exact(size.stride()).collect();
    let mut runs = rows.chunk_by(|a, b| a == b);
    let bars = runs.by_ref().filter(|run| run[0] == full).count();
    let lines_only = rows
        .iter()
        .all(|row| *row == full || row.iter().all(|&byte| byte == 0));
    (bars == 1 && lines_only).then_some(' ')
}

fn inverted(bitmap: &[u8], size: CellSize, glyphs: &Glyphs, face: FaceId) -> Option<char> {
    let mut bitmap = bitmap.to_vec();
    for row in (0..size.height as usize).rev() {
        let start = row * size.stride();
        invert(&mut bitmap[start..start + size.stride()], size);
        let readings = glyphs.get(&bitmap);
        if let Some(char) = readings.and_then(|readings| readings.in_face(face)) {
            return Some(char);
        }
    }
    None
}

fn filled(bitmap: &[u8], size: CellSize, glyphs: &Glyphs, face: FaceId) -> Option<char> {
    let full = full_row(size);
    let mut rows = bitmap.chunks_exact(size.stride());
    let last = rows.rposition(|row| row == full)?;
    if last < size.height as usize / 2 {
        return None;
    }
    let above = bitmap[..last * size.stride()].chunks_exact(size.stride());
    let thickness = 1 + above.rev().take_while(|row| *row == full).count();
    let end = (last + 1) * size.stride();
    let start = end - thickness * size.stride();

    let (before, after) = (&bitmap[..start], &bitmap[end..]);
    let mut fitting = glyphs
        .of_face(face)
        .filter(|(glyph, _)| glyph[..start] == *before && glyph[end..] == *after)
        .map(|(_, char)| char);
    let char = fitting.next()?;
    fitting.all(|other| other == char).then_some(char)
}

fn full_row(size: CellSize) -> Vec<u8> {
    let mut row = vec![0; size.stride()];
    invert(&mut row, size);
    row
}
