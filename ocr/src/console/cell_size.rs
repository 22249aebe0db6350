//! The size of cells and glyphs.

/// The size of a cell or of a glyph, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it, and a size is a width and a height"
)]
pub struct CellSize {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

impl CellSize {
    /// Whether a font can have this size. Anything on a screen looks like a smaller
    /// glyph; the Linux kernel does not load larger ones (64×128 pixels).
    pub(super) fn is_sensible(self) -> bool {
        (5..=64).contains(&self.width) && (6..=128).contains(&self.height)
    }

    /// The number of bytes in a row of a bitmap.
    pub(super) fn stride(self) -> usize {
        self.width.div_ceil(8) as usize
    }

    /// The number of bytes in a bitmap.
    pub(super) fn bytes(self) -> usize {
        self.stride() * self.height as usize
    }
}
