//! PSF files, which `setfont` loads and `setfont -O` writes.
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
    /// They do not begin like a PSF file of version 1 or 2.
    #[error("not a PSF font: no magic number of version 1 or 2")]
    NotPsf,

    /// The gzipped file is damaged or far too large.
    #[error("the gzipped font does not inflate to at most {limit} bytes: {reason}")]
    Gzip {
        /// In bytes.
        limit: u64,
        /// The decompressor's message.
        reason: String,
    },

    /// The glyphs have a size that no console has.
    #[error("glyphs of {width}×{height} pixels, expected 5×6 to 64×128")]
    Size {
        /// In pixels, as in the header.
        width: u32,
        /// In pixels, as in the header.
        height: u32,
    },

    /// The header contradicts itself.
    #[error("invalid header of a PSF font: {0}")]
    Header(&'static str),

    /// The file is shorter than its header requires.
    #[error("truncated PSF font: expected {expected} bytes of header or glyphs, got {got}")]
    Cut {
        /// The least number of bytes.
        expected: u64,
        /// The number of bytes present.
        got: usize,
    },
}

/// In bytes; far more than the largest font has: 512 glyphs of 64×128 pixels and their
/// characters.
const LIMIT: u64 = 1 << 21;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Font {
    /// Reads a PSF file of version 1 or 2, gzipped or not.
    ///
    /// Like the kernel, ignores sequences of several code points in the Unicode table.
    /// Without a table, the glyphs are assumed to be in the order of code page 437, like
    /// those of VGA and kernel.
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

/// Parses a table of 16-bit code points, little endian: 0xffff ends those of a glyph,
/// 0xfffe begins each sequence behind them.
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
        return Err(FontError::Header("its version is not 0"));
    }
    let size = CellSize { width, height };
    check(size)?;
    if bytes as usize != size.bytes() {
        return Err(FontError::Header(
            "the number of bytes per glyph does not match the size",
        ));
    }
    if header < 32 {
        return Err(FontError::Header("its length is less than 32 bytes"));
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

/// Parses a table in UTF-8: 0xff ends the characters of a glyph, 0xfe begins each
/// sequence behind them. Neither byte occurs in UTF-8.
fn psf2_table(table: &[u8]) -> impl Iterator<Item = (char, usize)> {
    let glyphs = table.split(|&byte| byte == 0xff).enumerate();
    glyphs.flat_map(|(glyph, entry)| {
        let singles = entry.split(|&byte| byte == 0xfe).next().unwrap_or_default();
        let chunks = singles.utf8_chunks();
        let chars = chunks.flat_map(|chunk| chunk.valid().chars());
        chars.map(move |char| (char, glyph))
    })
}

/// Splits the file behind the header into bitmaps and table, before anything is
/// allocated for them.
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

/// The characters of glyphs whose indices are their codes. Glyph 0 is left out, because
/// it has no defined look.
pub(super) fn by_code_page(count: u32) -> impl Iterator<Item = (char, usize)> {
    let codes = (1..=u8::MAX).zip(1..count as usize);
    codes.map(|(code, glyph)| (cp437::to_char(code), glyph))
}
