//! Colours of pixels.

/// Red, green and blue.
pub(crate) type Color = [u8; 3];

/// The largest difference of a sample of two colours.
pub(crate) fn distance(a: Color, b: Color) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|i: usize| a[i].abs_diff(b[i]));
    r.max(g).max(b)
}

/// The perceived brightness of a pixel.
pub(crate) fn luma([r, g, b]: Color) -> u8 {
    let sum = u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29;
    u8::try_from(sum >> 8).unwrap_or(u8::MAX)
}
