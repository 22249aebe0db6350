//! A font: glyphs of one size, and the characters they stand for.

use super::bitmap::clear_padding;
use super::cell_size::CellSize;

/// A console font: a picture of the same size for each of its characters.
///
/// It comes from a file ([`from_psf`](Self::from_psf)), a VGA's ROM
/// ([`from_vga_rom`](Self::from_vga_rom)) or a screen ([`learn`](Self::learn)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Font {
    size: CellSize,
    /// One bitmap after the other, as in a PSF file: rows from the top, each
    /// padded with zeros to whole bytes, the leftmost pixel in the highest bit.
    bitmaps: Vec<u8>,
    /// Sorted; which bitmap stands for a character.
    chars: Vec<(char, usize)>,
    /// How many other fonts it counts for where they differ.
    pub(super) weight: u32,
}

impl Font {
    /// `chars` are the characters of the bitmaps, each with the number of its
    /// bitmap. Control characters are left out: nothing shows them.
    ///
    /// The caller has checked that the size is sensible, or has no bitmaps.
    pub(super) fn new(
        size: CellSize,
        mut bitmaps: Vec<u8>,
        chars: impl IntoIterator<Item = (char, usize)>,
    ) -> Self {
        clear_padding(&mut bitmaps, size);
        let count = bitmaps.len().checked_div(size.bytes()).unwrap_or(0);
        let mut chars: Vec<_> = chars
            .into_iter()
            .filter(|(char, bitmap)| !char.is_control() && *bitmap < count)
            .collect();
        chars.sort_unstable();
        chars.dedup_by_key(|(char, _)| *char);
        Self {
            size,
            bitmaps,
            chars,
            weight: 1,
        }
    }

    /// The size of the glyphs. A VGA shows 8 pixels wide ones in cells of 9.
    pub fn size(&self) -> CellSize {
        self.size
    }

    /// The characters it has glyphs for, in ascending order.
    pub fn chars(&self) -> impl Iterator<Item = char> {
        self.chars.iter().map(|(char, _)| *char)
    }

    /// Whether the glyph of `char` is set at `x`, `y` (pixels from the upper left
    /// corner); `None` if the font has no such glyph or the glyph no such pixel.
    pub fn pixel(&self, char: char, x: u32, y: u32) -> Option<bool> {
        if x >= self.size.width || y >= self.size.height {
            return None;
        }
        let byte = y as usize * self.size.stride() + x as usize / 8;
        Some(self.bitmap(char)?[byte] & (0x80 >> (x % 8)) != 0)
    }

    pub(super) fn bitmap(&self, char: char) -> Option<&[u8]> {
        let found = self.chars.binary_search_by_key(&char, |(char, _)| *char);
        Some(self.nth_bitmap(self.chars[found.ok()?].1))
    }

    /// Every character with its bitmap, in ascending order of the characters.
    pub(super) fn glyphs(&self) -> impl Iterator<Item = (char, &[u8])> {
        self.chars
            .iter()
            .map(|&(char, number)| (char, self.nth_bitmap(number)))
    }

    fn nth_bitmap(&self, number: usize) -> &[u8] {
        let bytes = self.size.bytes();
        &self.bitmaps[number * bytes..][..bytes]
    }
}
