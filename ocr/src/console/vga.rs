//! A VGA's text memory.

use std::ops::Range;

use super::cell_size::CellSize;
use super::cp437;
use super::text::Text;
use super::text_console::TextConsole;
use crate::Image;

/// The guest physical addresses of a VGA's text memory. QEMU's
/// `pmemsave 0xb8000 0x8000 FILE` writes it.
pub const VGA_TEXT_MEMORY: Range<u64> = 0xb8000..0xc0000;

/// A character and its colours.
const BYTES_PER_CELL: usize = 2;

/// At most this many cells may differ: a cursor makes a blank cell look used.
const MAX_DIFFERENCES: usize = 1;

/// Reads the text in `memory`, the content of [`VGA_TEXT_MEMORY`] in text mode.
///
/// It is a sequence of cells, row by row; a cell is one byte of code page 437 and one
/// byte of colours. `start` is the first cell on the screen: registers `0x0c` (high
/// byte) and `0x0d` (low byte) of the CRT controller. Scrolling moves it, and the memory
/// wraps around at its end. Rows that have scrolled off the screen are before `start`
/// until they are overwritten: to read `n` of them, pass a start that is `n * columns`
/// lower, wrapping around, and `n` more rows.
///
/// The result never has more rows than fit into `memory`. A guest may have loaded a font
/// with other characters than the ROM's; only ASCII is certain in that case.
pub fn vga_text(memory: &[u8], columns: usize, rows: usize, start: usize) -> Text {
    let (cells, _) = memory.as_chunks::<BYTES_PER_CELL>();
    if columns == 0 || cells.len() < columns {
        return Text::default();
    }
    let rows = rows.min(cells.len() / columns);
    let (before, from_start) = cells.split_at(start % cells.len());
    let shown = from_start.iter().chain(before).take(rows * columns);
    let chars: Vec<char> = shown.map(|&[code, _]| cp437::to_char(code)).collect();
    Text::new(columns, &chars)
}

/// Whether the picture has the size of a VGA's text mode, so that [`vga_screen`] may read
/// it.
pub fn has_vga_text_size(image: &Image) -> bool {
    columns(image).is_some()
}

/// The width of a cell and the number of cells in a row, by the size of the picture.
fn columns(image: &Image) -> Option<(u32, usize)> {
    match (image.width(), image.height()) {
        (720, 400) => Some((9, 80)),
        (640, 400) => Some((8, 80)),
        (360, 400) => Some((9, 40)),
        (320, 400) => Some((8, 40)),
        _ => None,
    }
}

/// Reads the screen of a VGA in text mode from a picture of it and its `memory` (see
/// [`vga_text`]): exactly, unless the guest has loaded a font with other characters.
///
/// The memory has the characters; the picture shows which part of the memory is on the
/// screen. Returns `None` if the picture does not [have the
/// size](has_vga_text_size) of a text mode, if no part of the memory has its blanks where
/// the picture has them, or if several such parts have different texts.
pub fn vga_screen(image: &Image, memory: &[u8]) -> Option<TextConsole> {
    let (width, columns) = columns(image)?;
    // 25 rows, or 50.
    for height in [16, 8] {
        let cell = CellSize { width, height };
        let blanks = blanks(image, cell);
        let rows = blanks.len() / columns;
        let cells = memory.len() / BYTES_PER_CELL;
        // The kernel scrolls by whole rows.
        let starts = (0..cells / columns).map(|row| row * columns);
        let differences = |start: &usize| {
            let text = vga_text(memory, columns, rows, *start);
            let chars = text.rows().iter().flat_map(|row| row.chars());
            let pairs = chars.zip(&blanks);
            // In the picture, a full block looks like a blank of another colour.
            pairs
                .filter(|(char, is_blank)| (matches!(char, ' ' | '█') != **is_blank))
                .count()
        };
        let fitting = starts.filter(|start| differences(start) <= MAX_DIFFERENCES);
        let mut texts = fitting.map(|start| vga_text(memory, columns, rows, start));
        if let Some(text) = texts.next() {
            let is_unique = texts.all(|other| other == text);
            return is_unique.then(|| TextConsole::new(text, cell, 0));
        }
    }
    None
}

/// For each cell of the picture, row by row, whether it has only one colour.
fn blanks(image: &Image, cell: CellSize) -> Vec<bool> {
    let (width, height) = (cell.width as usize, cell.height as usize);
    let rows: Vec<_> = image.pixels().chunks(image.width() as usize).collect();
    let is_blank = |band: &[&[[u8; 3]]], x: usize| {
        let mut pixels = band.iter().flat_map(|row| &row[x..x + width]);
        let first = pixels.next();
        pixels.all(|pixel| Some(pixel) == first)
    };
    let bands = rows.chunks_exact(height);
    bands
        .flat_map(|band| {
            let columns = (0..image.width() as usize).step_by(width);
            columns.map(|x| is_blank(band, x)).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(text: &str) -> Vec<u8> {
        text.bytes().flat_map(|code| [code, 0x07]).collect()
    }

    #[test]
    fn the_screen_wraps_around() {
        let memory = memory("c d ef  a\0b ");
        let text = vga_text(&memory, 2, 4, 8);
        assert_eq!(text.rows(), ["a ", "b ", "c ", "d "]);
        // With one row that has scrolled off.
        assert_eq!(vga_text(&memory, 2, 5, 6).text(), "\na\nb\nc\nd");
        assert_eq!(vga_text(&memory, 2, 1, 12).text(), "c");
    }

    /// Both texts have their blanks where the picture has them.
    #[test]
    fn an_ambiguous_text_is_not_read() {
        let mut picture = b"P6 720 400 255\n".to_vec();
        let is_row_of_text = |y: usize| y < 16;
        picture.extend((0..400).flat_map(|y| {
            let pixel = move |x: usize| {
                [if is_row_of_text(y) && x < 9 * 7 && x % 9 == 4 {
                    200
                } else {
                    0
                }; 3]
            };
            (0..720).flat_map(pixel)
        }));
        let image = Image::from_ppm(&picture).unwrap();
        let row = |text: &str| memory(&format!("{text:80}"));
        let blank = || memory(&" ".repeat(80 * 40));
        let one = [row("line_45"), blank()].concat();
        assert_eq!(vga_screen(&image, &one).unwrap().text(), "line_45");
        let two = [row("line_10"), blank(), row("line_45"), blank()].concat();
        assert_eq!(vga_screen(&image, &two), None);
    }

    #[test]
    fn there_are_never_more_rows_than_in_memory() {
        assert_eq!(
            vga_text(&memory("abcde"), 2, usize::MAX, usize::MAX)
                .rows()
                .len(),
            2
        );
        for (columns, rows) in [(0, 0), (0, 9), (9, 9), (usize::MAX, usize::MAX)] {
            assert!(vga_text(&memory("abc"), columns, rows, 1).rows().is_empty());
        }
        assert!(vga_text(&[], 1, 1, 1).rows().is_empty());
    }
}
