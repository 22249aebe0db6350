//! Fonts from PSF files, as `setfont` loads them and `setfont -O` writes them.
//!
//! The format: <https://www.win.tue.nl/~aeb/linux/kbd/font-formats-1.html>, and
//! kbd's `src/libkfont/psf.h`.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::cell_size::CellSize;
use super::cp437;
use super::font::Font;

/// Why some bytes are not a font.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FontError {
    /// They begin like no PSF file of version 1 or 2.
    #[error("not a PSF font: it begins with neither magic number")]
    NotPsf,

    /// They are gzipped, and damaged or far too large.
    #[error("the gzipped font does not inflate to at most {limit} bytes: {reason}")]
    Gzip {
        /// In bytes.
        limit: u64,
        /// What the decompressor said.
        reason: String,
    },

    /// The glyphs are of a size that no console has.
    #[error("glyphs of {width}×{height} pixels, expected 5×6 to 64×128")]
    Size {
        /// In pixels, as the header says.
        width: u32,
        /// In pixels, as the header says.
        height: u32,
    },

    /// The header contradicts itself.
    #[error("the header of the PSF font is wrong: {0}")]
    Header(&'static str),

    /// There are fewer bytes than the header promises.
    #[error("a PSF font cut short: {expected} bytes of header and glyphs, got {got}")]
    Cut {
        /// At least so many.
        expected: u64,
        /// So many there are.
        got: usize,
    },
}

/// Far more than the largest font has: 512 glyphs of 64×128 pixels and their
/// characters.
const LIMIT: u64 = 1 << 21;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Font {
    /// Reads a PSF file of version 1 or 2, gzipped or not.
    ///
    /// Of its Unicode table, sequences of several code points are ignored, as the
    /// kernel does. Without a table the glyphs are taken to be in the order of
    /// code page 437, as the VGA's and the kernel's own are.
    pub fn from_psf(file: &[u8]) -> Result<Self, FontError> {
        let file = inflate(file)?;
        match &*file {
            [0x36, 0x04, mode, height, rest @ ..] => psf1(*mode, *height, rest),
            [0x72, 0xb5, 0x4a, 0x86, ..] => psf2(&file),
            _ => Err(FontError::NotPsf),
        }
    }
}

fn inflate(file: &[u8]) -> Result<Cow<'_, [u8]>, FontError> {
    if !file.starts_with(&GZIP_MAGIC) {
        return Ok(file.into());
    }
    let error = |reason| FontError::Gzip {
        limit: LIMIT,
        reason,
    };
    let mut inflated = Vec::new();
    MultiGzDecoder::new(file)
        .take(LIMIT + 1)
        .read_to_end(&mut inflated)
        .map_err(|cause| error(cause.to_string()))?;
    if inflated.len() as u64 > LIMIT {
        return Err(error("too large".into()));
    }
    Ok(inflated.into())
}

fn psf1(mode: u8, height: u8, rest: &[u8]) -> Result<Font, FontError> {
    const TWICE_AS_MANY: u8 = 1;
    const TABLE: u8 = 2;
    const TABLE_OF_SEQUENCES: u8 = 4;

    let size = CellSize {
        width: 8,
        height: height.into(),
    };
    let count = if mode & TWICE_AS_MANY == 0 { 256 } else { 512 };
    let (bitmaps, table) = split(size, count, rest)?;
    let has_table = mode & (TABLE | TABLE_OF_SEQUENCES) != 0;
    Ok(if has_table {
        Font::new(size, bitmaps.to_vec(), psf1_table(table))
    } else {
        Font::new(size, bitmaps.to_vec(), by_code_page(count))
    })
}

/// 16-bit code points, little endian; 0xffff ends those of a glyph, 0xfffe begins
/// each sequence behind them.
fn psf1_table(table: &[u8]) -> impl Iterator<Item = (char, usize)> {
    let (units, _) = table.as_chunks();
    let units = units.iter().map(|&two| u16::from_le_bytes(two));
    let mut glyph = 0;
    let mut in_sequence = false;
    units.filter_map(move |unit| match unit {
        0xffff => {
            glyph += 1;
            in_sequence = false;
            None
        }
        0xfffe => {
            in_sequence = true;
            None
        }
        _ if in_sequence => None,
        unit => Some((char::from_u32(unit.into())?, glyph)),
    })
}

fn psf2(file: &[u8]) -> Result<Font, FontError> {
    let (words, _) = file.as_chunks();
    let mut words = words.iter().map(|&four| u32::from_le_bytes(four));
    let mut fields = [0; 8];
    for field in &mut fields {
        *field = words.next().ok_or(FontError::Cut {
            expected: 32,
            got: file.len(),
        })?;
    }
    let [_, version, header, flags, count, bytes, height, width] = fields;

    if version != 0 {
        return Err(FontError::Header("a version other than 0"));
    }
    let size = CellSize { width, height };
    check(size)?;
    if bytes as usize != size.bytes() {
        return Err(FontError::Header("a glyph has not as many bytes as that"));
    }
    if header < 32 {
        return Err(FontError::Header("it is shorter than itself"));
    }
    let rest = file.get(header as usize..).ok_or(FontError::Cut {
        expected: header.into(),
        got: file.len(),
    })?;
    let (bitmaps, table) = split(size, count, rest)?;
    Ok(if flags & 1 == 0 {
        Font::new(size, bitmaps.to_vec(), by_code_page(count))
    } else {
        Font::new(size, bitmaps.to_vec(), psf2_table(table))
    })
}

/// UTF-8; 0xff ends the characters of a glyph, 0xfe begins each sequence behind
/// them. Neither byte is ever part of UTF-8.
fn psf2_table(table: &[u8]) -> impl Iterator<Item = (char, usize)> {
    let glyphs = table.split(|&byte| byte == 0xff).enumerate();
    glyphs.flat_map(|(glyph, entry)| {
        let singles = entry.split(|&byte| byte == 0xfe).next().unwrap_or_default();
        let chunks = singles.utf8_chunks();
        let chars = chunks.flat_map(|chunk| chunk.valid().chars());
        chars.map(move |char| (char, glyph))
    })
}

/// Checked before anything is allocated: the glyphs must be there.
fn split(size: CellSize, count: u32, rest: &[u8]) -> Result<(&[u8], &[u8]), FontError> {
    check(size)?;
    let expected = u64::from(count) * size.bytes() as u64;
    usize::try_from(expected)
        .ok()
        .and_then(|bytes| rest.split_at_checked(bytes))
        .ok_or(FontError::Cut {
            expected,
            got: rest.len(),
        })
}

fn check(size: CellSize) -> Result<(), FontError> {
    let CellSize { width, height } = size;
    if size.is_sensible() {
        Ok(())
    } else {
        Err(FontError::Size { width, height })
    }
}

/// The numbers of the glyphs are their codes. What number 0 looks like is up to the
/// font.
pub(super) fn by_code_page(count: u32) -> impl Iterator<Item = (char, usize)> {
    let codes = (1..=u8::MAX).zip(1..count as usize);
    codes.map(|(code, glyph)| (cp437::to_char(code), glyph))
}
