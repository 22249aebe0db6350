//! The fonts in the ROM of a VGA, which its text modes show until a guest loads
//! others.
//!
//! `INT 10h`, function 11h, hands out pointers to them, but nobody is there to
//! call it. The tables are known by what must be in them: for each of the 256
//! characters of code page 437, in order, a byte per row of 8 pixels, and some
//! characters cannot look any other way. Blanks are blank, the full block is
//! full, the left half block is left. So no offset into a certain build of a ROM
//! is needed; in ten builds of `SeaVGABIOS`, for as many cards, each height was found
//! once.
//!
//! The Linux kernel's own 8×8 and 8×16 fonts are such tables as well. They are found
//! in a kernel that is not compressed (`vmlinux`).

use super::font::{CellSize, Font};
use super::psf::by_code_page;

/// 80×50, EGA and VGA characters.
const HEIGHTS: [u32; 3] = [8, 14, 16];

impl Font {
    /// The fonts in a VGA's ROM, or in a Linux kernel that is not compressed: 8 pixels wide, 8, 14 and 16 high, as far as they
    /// are in there.
    pub fn from_vga_rom(rom: &[u8]) -> Vec<Self> {
        HEIGHTS
            .iter()
            .filter_map(|&height| {
                let size = CellSize { width: 8, height };
                let table = rom
                    .windows(256 * size.bytes())
                    .find(|table| is_font(table, size.bytes()))?;
                Some(Self::new(size, table.to_vec(), by_code_page(256)))
            })
            .collect()
    }
}

/// Whether `table` begins with the glyphs of code page 437.
fn is_font(table: &[u8], height: usize) -> bool {
    let glyph = |code: usize| &table[code * height..][..height];
    let is_all = |code: usize, row: u8| glyph(code).iter().all(|&got| got == row);
    // The first test fails nearly everywhere.
    is_all(0xdb, 0xff)
        && is_all(0x00, 0)
        && is_all(0x20, 0)
        && is_all(0xff, 0)
        && is_all(0xdd, 0xf0)
        && is_all(0xde, 0x0f)
        && are_halves(glyph(0xdf), glyph(0xdc))
        && (b'!'..=b'~').all(|code| !is_all(code.into(), 0))
}

/// The upper half block and the lower one: together they are a full block.
fn are_halves(upper: &[u8], lower: &[u8]) -> bool {
    upper[0] == 0xff
        && upper.is_sorted_by(|above, below| above >= below)
        && upper
            .iter()
            .zip(lower)
            .all(|(&a, &b)| a == !b && matches!(a, 0 | 0xff))
}
