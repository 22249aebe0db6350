//! A VGA's text memory.

use super::cell_size::CellSize;
use super::cp437;
use super::text::Text;
use super::text_console::TextConsole;
use crate::Image;

/// A character and its colours.
const BYTES_PER_CELL: usize = 2;

/// Reads the text in `memory`, what a VGA in text mode has at guest physical
/// address `0xb8000`: QEMU's `pmemsave 0xb8000 0x8000 FILE` writes it.
///
/// It is a sequence of cells, one byte of code page 437 and one of colours each,
/// row by row. `start` is the first cell on the screen: registers `0x0c` (high
/// byte) and `0x0d` (low) of the CRT controller. Scrolling moves it, and the memory
/// wraps round behind its end. So what has scrolled off the screen is before
/// `start`, as far as it has not been overwritten: to see `n` rows of it, give a
/// start `n * columns` less, wrapping round, and `n` more rows.
///
/// There are never more rows than fit into `memory`. A guest may have loaded a font
/// with other characters than the ROM's; only ASCII is sure to be right then.
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

/// Reads the screen of a VGA in text mode from a picture of it and its `memory`
/// (see [`vga_text`]): exactly, unless the guest has loaded a font with other characters.
///
/// The memory has the characters, the picture shows which of them are on the
/// screen. `None` if the picture is not of the size that QEMU draws such a screen
/// in, no part of the memory has its blanks where the picture has them, or several have
/// that say different things.
pub fn vga_screen(image: &Image, memory: &[u8]) -> Option<TextConsole> {
    const HEIGHT: u32 = 400;
    // 80 columns of 9 or 8 pixels, 40 of twice that.
    let (width, columns) = match image.width() {
        720 => (9, 80),
        640 => (8, 80),
        360 => (9, 40),
        320 => (8, 40),
        _ => return None,
    };
    if image.height() != HEIGHT {
        return None;
    }
    // 25 rows, or 50.
    for height in [16, 8] {
        let cell = CellSize { width, height };
        let blanks = blanks(image, cell);
        let rows = blanks.len() / columns;
        let cells = memory.len() / BYTES_PER_CELL;
        // Scrolled by whole rows.
        let starts = (0..cells / columns).map(|row| row * columns);
        let wrong = |start: &usize| {
            let text = vga_text(memory, columns, rows, *start);
            let chars = text.rows().iter().flat_map(|row| row.chars());
            let pairs = chars.zip(&blanks);
            // What fills its cell looks as what leaves it blank.
            pairs
                .filter(|(char, is_blank)| (matches!(char, ' ' | '█') != **is_blank))
                .count()
        };
        let fitting = starts.filter(|start| wrong(start) <= MOST_WRONG);
        let mut texts = fitting.map(|start| vga_text(memory, columns, rows, start));
        if let Some(text) = texts.next() {
            let is_sure = texts.all(|other| other == text);
            return is_sure.then(|| TextConsole::new(text, cell, 0));
        }
    }
    None
}

/// A cursor makes a blank cell one that is not.
const MOST_WRONG: usize = 1;

/// Which cells of the picture have one colour, row by row.
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
    fn the_screen_wraps_round() {
        let memory = memory("c d ef  a\0b ");
        let text = vga_text(&memory, 2, 4, 8);
        assert_eq!(text.rows(), ["a ", "b ", "c ", "d "]);
        // One row that has scrolled off.
        assert_eq!(vga_text(&memory, 2, 5, 6).text(), "\na\nb\nc\nd");
        assert_eq!(vga_text(&memory, 2, 1, 12).text(), "c");
    }

    /// Rows of one shape: which of them are on the screen, no blank tells.
    #[test]
    fn what_may_be_one_text_or_another_is_none() {
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
    fn there_are_never_more_rows_than_memory() {
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
