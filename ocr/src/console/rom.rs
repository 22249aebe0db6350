//! The fonts in the ROM of a VGA, which its text modes show until a guest loads others.
//!
//! The tables are found by their content, because nothing here can call `INT 10h`,
//! function 11h, for pointers to them. A table has one byte per row of 8 pixels for each
//! of the 256 characters of code page 437, in order, and some characters have only one
//! possible look: blanks, the full block, the half blocks. So no offsets into certain
//! builds of a ROM are needed. In ten builds of `SeaVGABIOS`, for as many cards, each
//! height was found once.
//!
//! The Linux kernel's 8×8, 8×16 and 16×32 fonts are such tables as well. They can be found
//! in an uncompressed kernel (`vmlinux`).

use super::cell_size::CellSize;
use super::font::Font;
use super::psf::by_code_page;

/// Width and height of a VGA's font for 80×50 characters, of EGA's and VGA's default
/// fonts, and of the kernel's font for large screens.
const SIZES: [(u32, u32); 4] = [(8, 8), (8, 14), (8, 16), (16, 32)];

/// A font in a ROM outvotes files, because a guest shows it.
const WEIGHT: u32 = 1 << 8;

impl Font {
    /// Finds the fonts of 8×8, 8×14, 8×16 and 16×32 pixels in a VGA's ROM or an
    /// uncompressed Linux kernel.
    pub fn from_vga_rom(rom: &[u8]) -> Vec<Self> {
        let sizes = SIZES.map(|(width, height)| CellSize { width, height });
        let fonts = sizes.into_iter().filter_map(|size| {
            let mut tables = rom.windows(256 * size.bytes());
            let table = tables.find(|table| is_font(table, size))?;
            let mut font = Self::new(size, table.to_vec(), by_code_page(256));
            font.weight = WEIGHT;
            Some(font)
        });
        fonts.collect()
    }
}

/// Whether `table` contains the glyphs of code page 437.
fn is_font(table: &[u8], size: CellSize) -> bool {
    let glyph = |code: usize| &table[code * size.bytes()..][..size.bytes()];
    let is_all =
        |code: usize, row: &[u8]| glyph(code).chunks_exact(row.len()).all(|got| got == row);
    let (blank, full, left, right): (&[u8], &[u8], &[u8], &[u8]) = if size.width == 8 {
        (&[0], &[0xff], &[0xf0], &[0x0f])
    } else {
        (&[0, 0], &[0xff, 0xff], &[0xff, 0], &[0, 0xff])
    };
    // The first test fails at nearly every offset.
    is_all(0xdb, full)
        && is_all(0x20, blank)
        && is_all(0xff, blank)
        && is_all(0xdd, left)
        && is_all(0xde, right)
        && are_halves(glyph(0xdf), glyph(0xdc))
        && (b'!'..=b'~').all(|code| !is_all(code.into(), blank))
}

/// Whether these are the upper and the lower half block, which make up a full block.
fn are_halves(upper: &[u8], lower: &[u8]) -> bool {
    upper[0] == 0xff
        && upper.is_sorted_by(|above, below| above >= below)
        && upper
            .iter()
            .zip(lower)
            .all(|(&a, &b)| a == !b && matches!(a, 0 | 0xff))
}
