//! Pictures out.

use std::io::{self, Write};

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::Image;

impl Image {
    /// Writes the picture as a PNG file: true colour, 8 bits per sample,
    /// exactly these pixels; compressed fast rather than small.
    ///
    /// Writes in small pieces: give it a buffered writer. Fails only if
    /// `writer` does.
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
