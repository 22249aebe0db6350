//! Console fonts.

use super::bitmap::clear_padding;
use super::cell_size::CellSize;

/// A console font: glyphs of one size, and the characters they stand for.
///
/// It comes from a file ([`from_psf`](Self::from_psf)), a VGA's ROM
/// ([`from_vga_rom`](Self::from_vga_rom)) or a screen ([`learn`](Self::learn)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Font {
    size: CellSize,
    /// One after the other; for the form of each, see [`bitmap`](super::bitmap).
    bitmaps: Vec<u8>,
    /// The characters and the indices of their bitmaps, sorted.
    chars: Vec<(char, usize)>,
    /// The number of other fonts that it outvotes where they differ.
    pub(super) weight: u32,
}

impl Font {
    /// `chars` are the characters with the indices of their bitmaps. Control characters
    /// are ignored, because they are never shown.
    ///
    /// The caller has checked that the size is sensible, or passes no bitmaps.
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

    /// The size of the glyphs. A VGA shows glyphs of 8 pixels in cells of 9.
    pub fn size(&self) -> CellSize {
        self.size
    }

    /// The characters of the font, in ascending order.
    pub fn chars(&self) -> impl Iterator<Item = char> {
        self.chars.iter().map(|(char, _)| *char)
    }

    /// Whether the pixel at `x`, `y` (from the upper left corner) of the glyph of `char`
    /// is set; `None` if there is no such glyph or pixel.
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

    /// The characters with their bitmaps, in ascending order.
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
