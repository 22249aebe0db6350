//! The character under a cursor.
//!
//! A block cursor is inverse video and needs nothing more. Other shapes change
//! rows of the cell's lower part:
//! - the kernel's framebuffer console inverts the lowest ones, 1 or 2 for an
//!   underline (`drivers/video/fbdev/core/fbcon.c`, `bit_cursor`);
//! - a VGA fills rows with the text's colour, those from registers `0x0a` to `0x0b`
//!   of its CRT controller, and what was there cannot be seen.

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::fonts::{FaceId, Glyphs};

/// The character of a cell that is no glyph of `face` as it is, if it is one but
/// for a cursor. One that two characters fit but for the rows that the cursor hides
/// is `None`, except that a blank is always the likelier one.
pub(super) fn char_under(
    bitmap: &mut [u8],
    size: CellSize,
    glyphs: &Glyphs,
    face: FaceId,
) -> Option<char> {
    let mut either_way = |read: fn(&[u8], CellSize, &Glyphs, FaceId) -> Option<char>| {
        read(bitmap, size, glyphs, face).or_else(|| {
            invert(bitmap, size);
            let reading = read(bitmap, size, glyphs, face);
            invert(bitmap, size);
            reading
        })
    };
    either_way(blank)
        .or_else(|| either_way(inverted))
        .or_else(|| either_way(filled))
}

/// Nothing but a bar.
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
