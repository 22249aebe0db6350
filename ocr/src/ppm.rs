//! Reading binary PPM files (`P6`), which QEMU's `screendump` writes.

use std::borrow::Cow;

use crate::image::check_size;
use crate::{DecodeError, Image};

impl Image {
    /// Reads a binary PPM file.
    ///
    /// Samples of any maximum (1 to 65535, so of one or two bytes) are scaled to 8 bits;
    /// samples above the maximum are reduced to it. The header may contain comments. The
    /// file must contain one picture of at most 8192×8192 pixels and nothing else.
    pub fn from_ppm(file: &[u8]) -> Result<Self, DecodeError> {
        let (header, raster) = Header::parse(file)?;
        check_size(header.width, header.height)?;
        header.check_length(raster)?;
        let Header { width, height, max } = header;
        let samples: Cow<'_, [u8]> = match max {
            255 => raster.into(),
            0..=255 => raster
                .iter()
                .map(|&sample| to_8_bits(sample.into(), max))
                .collect(),
            256.. => {
                let (samples, _) = raster.as_chunks();
                samples
                    .iter()
                    .map(|&two| to_8_bits(u16::from_be_bytes(two), max))
                    .collect()
            }
        };
        let (pixels, _) = samples.as_chunks();
        Ok(Self::new(width, height, pixels.to_vec()))
    }
}

/// Scales a sample, rounding to the nearest value.
fn to_8_bits(sample: u16, max: u16) -> u8 {
    let (sample, max) = (u32::from(sample.min(max)), u32::from(max));
    u8::try_from((sample * 255 + max / 2) / max).unwrap_or(u8::MAX)
}

struct Header {
    width: u32,
    height: u32,
    max: u16,
}

impl Header {
    /// Returns the header and the bytes behind it.
    fn parse(file: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let rest = file.strip_prefix(b"P6").ok_or(DecodeError::NotPpm)?;
        let (width, rest) = number(rest, "a width of at least 1")?;
        let (height, rest) = number(rest, "a height of at least 1")?;
        let expected = "a maximum of 1 to 65535";
        let (max, rest) = number(rest, expected)?;
        let max = u16::try_from(max).map_err(|_| DecodeError::Header { expected })?;
        // Exactly one byte of white space: the next one may be a sample.
        let raster = match rest {
            [end, raster @ ..] if is_space(*end) => raster,
            _ => {
                let expected = "white space at its end";
                return Err(DecodeError::Header { expected });
            }
        };
        Ok((Self { width, height, max }, raster))
    }

    fn check_length(&self, raster: &[u8]) -> Result<(), DecodeError> {
        let bytes_per_pixel = if self.max < 256 { 3 } else { 6 };
        let expected = u128::from(self.width) * u128::from(self.height) * bytes_per_pixel;
        if raster.len() as u128 == expected {
            return Ok(());
        }
        Err(DecodeError::Length {
            width: self.width,
            height: self.height,
            expected,
            got: raster.len(),
        })
    }
}

/// Parses a number of at least 1 behind white space and comments; returns it and the
/// bytes behind it.
fn number<'a>(input: &'a [u8], expected: &'static str) -> Result<(u32, &'a [u8]), DecodeError> {
    let error = DecodeError::Header { expected };
    let input = skip_blank(input).ok_or_else(|| error.clone())?;
    let end = input.iter().position(|b| !b.is_ascii_digit());
    let (digits, rest) = input.split_at(end.unwrap_or(input.len()));
    let number = str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    match number {
        None | Some(0) => Err(error),
        Some(number) => Ok((number, rest)),
    }
}

/// Skips white space and comments; `None` if there is neither.
fn skip_blank(input: &[u8]) -> Option<&[u8]> {
    let mut rest = input;
    loop {
        rest = match rest {
            [first, rest @ ..] if is_space(*first) => rest,
            [b'#', comment @ ..] => {
                let end = comment.iter().position(|b| matches!(b, b'\n' | b'\r'));
                &comment[end?..]
            }
            _ => return (rest.len() < input.len()).then_some(rest),
        };
    }
}

/// Like C's `isspace`, to which the format's definition refers.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(expected: &'static str) -> Result<Image, DecodeError> {
        Err(DecodeError::Header { expected })
    }

    #[test]
    fn comments_and_white_space_are_skipped() {
        let file = b"P6#made by hand\n\t 1\r\n# 7 7 \n\x0b\x0c1 #\r#\n255\n\n\x0b#";
        let image = Image::from_ppm(file).unwrap();
        assert_eq!(image, Image::new(1, 1, vec![*b"\n\x0b#"]));
    }

    #[test]
    fn samples_are_scaled() {
        let image = Image::from_ppm(b"P6 2 1 3 \x00\x01\x02\x03\x04\xff").unwrap();
        assert_eq!(image.pixels(), [[0, 85, 170], [255, 255, 255]]);
        let image = Image::from_ppm(b"P6 1 1 65535 \x00\x00\x80\x00\xff\xff").unwrap();
        assert_eq!(image.pixels(), [[0, 128, 255]]);
        let image = Image::from_ppm(b"P6 1 1 256 \x00\x00\x00\x80\x01\x00").unwrap();
        assert_eq!(image.pixels(), [[0, 128, 255]]);
    }

    #[test]
    fn hostile_headers_are_refused() {
        assert_eq!(Image::from_ppm(b""), Err(DecodeError::NotPpm));
        assert_eq!(Image::from_ppm(b"P5 1 1 255 abc"), Err(DecodeError::NotPpm));
        assert_eq!(
            Image::from_ppm(b"P61 1 255 abc"),
            header("a width of at least 1")
        );
        assert_eq!(
            Image::from_ppm(b"P6 0 1 255 "),
            header("a width of at least 1")
        );
        assert_eq!(
            Image::from_ppm(b"P6 1 -1 255 "),
            header("a height of at least 1")
        );
        assert_eq!(
            Image::from_ppm(b"P6 1 4294967296 9 "),
            header("a height of at least 1")
        );
        assert_eq!(
            Image::from_ppm(b"P6 1 1 # no end"),
            header("a maximum of 1 to 65535")
        );
        assert_eq!(
            Image::from_ppm(b"P6 1 1 65536 abc"),
            header("a maximum of 1 to 65535")
        );
        assert_eq!(
            Image::from_ppm(b"P6 1 1 255"),
            header("white space at its end")
        );
        assert_eq!(
            Image::from_ppm(b"P6 8192 8192 65535 abc"),
            Err(DecodeError::Length {
                width: 8192,
                height: 8192,
                expected: 8192 * 8192 * 6,
                got: 3,
            })
        );
        assert_eq!(
            Image::from_ppm(b"P6 4294967295 4294967295 65535 abc"),
            Err(DecodeError::TooLarge {
                width: u32::MAX,
                height: u32::MAX,
                limit: 1 << 26,
            })
        );
    }

    #[test]
    fn pixels_must_be_neither_missing_nor_too_many() {
        for raster in ["ab", "abcd"] {
            let error = Image::from_ppm(format!("P6 1 1 255 {raster}").as_bytes()).unwrap_err();
            assert!(
                matches!(error, DecodeError::Length { expected: 3, .. }),
                "{error}"
            );
        }
    }
}
