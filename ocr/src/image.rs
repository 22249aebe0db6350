//! A picture in memory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::{DecodeError, OpenError};

/// A screen of 8192×8192 pixels. A guest chooses the size of its screen, and reading
/// one takes time and memory in proportion.
const MAX_PIXELS: u64 = 1 << 26;

/// Whether a picture of this size is accepted.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let limit = MAX_PIXELS;
        return Err(DecodeError::TooLarge {
            width,
            height,
            limit,
        });
    }
    Ok(())
}

/// A picture of a screen: 8 bits each of red, green and blue per pixel, at least one
/// pixel. Clones share the pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Arc<Vec<[u8; 3]>>,
}

impl Image {
    /// Reads a PPM or PNG file: see [`from_ppm`](Self::from_ppm) and
    /// [`from_png`](Self::from_png).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let file = fs::read(path).map_err(|source| OpenError::Read {
            path: path.to_owned(),
            source,
        })?;
        let decoded = if file.starts_with(b"P6") {
            Self::from_ppm(&file)
        } else {
            Self::from_png(&file)
        };
        decoded.map_err(|source| OpenError::Decode {
            path: path.to_owned(),
            source,
        })
    }

    /// Makes a picture of its pixels: red, green and blue of each, row by row from the
    /// top, each row from the left.
    ///
    /// More than 8192×8192 pixels are refused.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<[u8; 3]>) -> Result<Self, DecodeError> {
        check_size(width, height)?;
        let expected = u64::from(width) * u64::from(height);
        if expected == 0 || pixels.len() as u64 != expected {
            return Err(DecodeError::PixelCount {
                width,
                height,
                got: pixels.len(),
            });
        }
        Ok(Self::new(width, height, pixels))
    }

    /// The caller has checked that the number of pixels matches the size.
    pub(crate) fn new(width: u32, height: u32, pixels: Vec<[u8; 3]>) -> Self {
        debug_assert_eq!(u64::from(width) * u64::from(height), pixels.len() as u64);
        Self {
            width,
            height,
            pixels: Arc::new(pixels),
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

    /// Red, green and blue of every pixel, row by row from the top, each row from the
    /// left.
    pub fn pixels(&self) -> &[[u8; 3]] {
        &self.pixels
    }
}
