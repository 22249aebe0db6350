//! A VGA's text memory.

use super::cp437;
use super::text::Text;

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
