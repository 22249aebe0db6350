//! Bitmaps of glyphs, in the form of a PSF file: rows from the top, the leftmost pixel
//! in the highest bit, each row padded with zeros to whole bytes.

use super::cell_size::CellSize;

/// Swaps the two colours.
pub(super) fn invert(bitmap: &mut [u8], size: CellSize) {
    for byte in &mut *bitmap {
        *byte = !*byte;
    }
    clear_padding(bitmap, size);
}

/// Clears the bits behind the last pixel of each row.
pub(super) fn clear_padding(bitmap: &mut [u8], size: CellSize) {
    let padding = size.stride() * 8 - size.width as usize;
    if padding > 0 {
        for row in bitmap.chunks_exact_mut(size.stride()) {
            row[size.stride() - 1] &= 0xff << padding;
        }
    }
}
