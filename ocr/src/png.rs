//! Reading and writing PNG files.

use std::io::{self, Cursor, Write};

use png::{
    BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, EncodingError,
    Transformations,
};

use crate::image::check_size;
use crate::{DecodeError, Image};

/// Deflate expands one byte to at most 1032.
const MAX_EXPANSION: usize = 1032;

impl Image {
    /// Reads a PNG file of any kind: samples are converted to 8 bits, grey and palettes
    /// to red, green and blue. Transparency is ignored. Of an animation, the first
    /// picture is read.
    ///
    /// More than 8192×8192 pixels, and a file too short for the size in its header, are
    /// refused before memory is allocated for the pixels.
    pub fn from_png(file: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(Cursor::new(file));
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(invalid)?;
        let info = reader.info();
        let (width, height) = info.size();
        check_size(width, height)?;
        if info.raw_bytes() > file.len().saturating_mul(MAX_EXPANSION) {
            return Err(DecodeError::Png {
                reason: format!("{width}×{height} pixels in {} bytes", file.len()),
            });
        }
        let (color, _) = reader.output_color_type();
        let mut samples = vec![0; reader.output_buffer_size().unwrap_or(0)];
        reader.next_frame(&mut samples).map_err(invalid)?;
        Ok(Self::new(width, height, pixels(color, &samples)))
    }

    /// Writes the picture as a PNG file: true colour, 8 bits per sample, without loss,
    /// with fast compression.
    ///
    /// Writes small pieces, so `writer` should be buffered. Fails only if `writer` does.
    pub fn write_png(&self, writer: impl Write) -> io::Result<()> {
        self.encode(writer).map_err(|error| match error {
            EncodingError::IoError(error) => error,
            other => io::Error::other(other),
        })
    }

    fn encode(&self, writer: impl Write) -> Result<(), EncodingError> {
        let mut encoder = Encoder::new(writer, self.width(), self.height());
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels().as_flattened())?;
        writer.finish()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` passes it by value"
)]
fn invalid(error: DecodingError) -> DecodeError {
    DecodeError::Png {
        reason: error.to_string(),
    }
}

/// Converts samples of 8 bits.
fn pixels(color: ColorType, samples: &[u8]) -> Vec<[u8; 3]> {
    match color {
        ColorType::Grayscale | ColorType::Indexed => samples.iter().map(|&v| [v; 3]).collect(),
        ColorType::GrayscaleAlpha => samples.as_chunks().0.iter().map(|&[v, _]| [v; 3]).collect(),
        ColorType::Rgb => samples.as_chunks().0.to_vec(),
        ColorType::Rgba => {
            let (pixels, _) = samples.as_chunks();
            pixels.iter().map(|&[r, g, b, _]| [r, g, b]).collect()
        }
    }
}
