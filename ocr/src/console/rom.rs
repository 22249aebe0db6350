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
//! The Linux kernel's own 8×8, 8×16 and 16×32 fonts are such tables as well. They are found
//! in a kernel that is not compressed (`vmlinux`).

use super::cell_size::CellSize;
use super::font::Font;
use super::psf::by_code_page;

/// Width and height: a VGA's for 80×50 characters, EGA's and VGA's own; the kernel's
/// for large screens.
const SIZES: [(u32, u32); 4] = [(8, 8), (8, 14), (8, 16), (16, 32)];

/// Unlike a file of a distribution's, it is what the guest shows.
const WEIGHT: u32 = 1 << 8;

impl Font {
    /// The fonts in a VGA's ROM, or in a Linux kernel that is not compressed: those of
    /// 8×8, 8×14, 8×16 and 16×32 pixels, as far as they are in there.
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

/// Whether `table` has the glyphs of code page 437.
fn is_font(table: &[u8], size: CellSize) -> bool {
    let glyph = |code: usize| &table[code * size.bytes()..][..size.bytes()];
    let is_all =
        |code: usize, row: &[u8]| glyph(code).chunks_exact(row.len()).all(|got| got == row);
    let (blank, full, left, right): (&[u8], &[u8], &[u8], &[u8]) = if size.width == 8 {
        (&[0], &[0xff], &[0xf0], &[0x0f])
    } else {
        (&[0, 0], &[0xff, 0xff], &[0xff, 0], &[0, 0xff])
    };
    // The first test fails nearly everywhere.
    is_all(0xdb, full)
        && is_all(0x20, blank)
        && is_all(0xff, blank)
        && is_all(0xdd, left)
        && is_all(0xde, right)
        && are_halves(glyph(0xdf), glyph(0xdc))
        && (b'!'..=b'~').all(|code| !is_all(code.into(), blank))
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
