//! Colours of pixels.

/// Red, green and blue.
pub(crate) type Color = [u8; 3];

/// The largest difference of a sample of two colours.
pub(crate) fn distance(a: Color, b: Color) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|i: usize| a[i].abs_diff(b[i]));
    r.max(g).max(b)
}
