//! A picture in memory.

use crate::Error;

/// A screen of 8192×8192 pixels. A guest says how large its screen is, and what reads
/// it takes time and memory for each.
const MAX_PIXELS: u64 = 1 << 26;

/// Whether a picture of this size is taken.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), Error> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let limit = MAX_PIXELS;
        return Err(Error::TooLarge {
            width,
            height,
            limit,
        });
    }
    Ok(())
}

/// A picture of a screen: 8 bits each of red, green and blue per pixel, at
/// least one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Image {
    /// The caller has checked that there are as many pixels as that.
    pub(crate) fn new(width: u32, height: u32, pixels: Vec<[u8; 3]>) -> Self {
        debug_assert_eq!(u64::from(width) * u64::from(height), pixels.len() as u64);
        Self {
            width,
            height,
            pixels,
        }
    }

    /// In pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green and blue of every pixel, row by row from the top, each row
    /// from the left.
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }
}
