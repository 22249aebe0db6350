//! The cells of a picture. Where its colours change is computed once, for all sizes of
//! cells that are tried.

use crate::Image;
use crate::color::Color;

use super::cell_size::CellSize;

/// The number of pixels in a word of a bit set.
const WORD: usize = u64::BITS as usize;

pub(super) struct Picture<'a> {
    image: &'a Image,
    width: usize,
    words: usize,
    /// Bit x of row y: whether the pixel's colour differs from that of its left
    /// neighbour.
    across: Vec<u64>,
    /// Bit x of row y: whether the pixel's colour differs from that of the pixel above.
    down: Vec<u64>,
}

/// Where the colour changes within the cells of a row.
pub(super) struct Band {
    /// Bit x: whether it changes from the left in any row of pixels.
    across: Vec<u64>,
    /// Bit x: whether it changes from above in any row of pixels but the first.
    down: Vec<u64>,
}

/// A cell of two colours.
pub(super) struct Cell {
    /// The colour of the upper left pixel.
    pub(super) corner: Color,
    /// The colour of the pixels that are set in the bitmap.
    pub(super) other: Color,
}

impl<'a> Picture<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        let width = image.width() as usize;
        let words = width.div_ceil(WORD);
        let rows: Vec<_> = image.pixels().chunks_exact(width).collect();
        let mut across = Vec::with_capacity(words * rows.len());
        let mut down = Vec::with_capacity(words * rows.len());
        for (y, row) in rows.iter().enumerate() {
            let above = rows[y.saturating_sub(1)];
            for start in (0..width).step_by(WORD) {
                let end = width.min(start + WORD);
                across.push(differences(&row[start..end], row, start));
                down.push(changes(&row[start..end], &above[start..end]));
            }
        }
        Self {
            image,
            width,
            words,
            across,
            down,
        }
    }

    pub(super) fn color(&self, x: usize, y: usize) -> Color {
        self.image.pixels()[y * self.width + x]
    }

    /// The row of cells that begins at `y`.
    pub(super) fn band(&self, y: usize, height: usize) -> Band {
        let mut band = Band {
            across: self.across[y * self.words..][..self.words].to_vec(),
            down: vec![0; self.words],
        };
        for y in y + 1..y + height {
            let rows = y * self.words..(y + 1) * self.words;
            unite(&mut band.across, &self.across[rows.clone()]);
            unite(&mut band.down, &self.down[rows]);
        }
        band
    }

    /// Reads the cell at `x`, `y` into `bitmap`, in the form of a font's bitmaps. Returns
    /// `None` if it does not have exactly two colours.
    pub(super) fn cell(
        &self,
        x: usize,
        y: usize,
        size: CellSize,
        bitmap: &mut Vec<u8>,
    ) -> Option<Cell> {
        bitmap.clear();
        let corner = self.color(x, y);
        let mut other = None;
        for y in y..y + size.height as usize {
            let row = &self.image.pixels()[y * self.width + x..][..size.width as usize];
            for pixels in row.chunks(8) {
                let mut byte = 0;
                for (bit, &color) in pixels.iter().enumerate() {
                    if color != corner {
                        if *other.get_or_insert(color) != color {
                            return None;
                        }
                        byte |= 0x80 >> bit;
                    }
                }
                bitmap.push(byte);
            }
        }
        Some(Cell {
            corner,
            other: other?,
        })
    }
}

impl Band {
    /// Whether all pixels of the cell that begins at `x` have the same colour.
    pub(super) fn is_blank(&self, x: usize, width: usize) -> bool {
        bits(&self.across, x + 1, width - 1) == 0 && bits(&self.down, x, width) == 0
    }
}

/// Bit i: whether `chunk[i]`, which is `row[start + i]`, differs from its left neighbour.
fn differences(chunk: &[Color], row: &[Color], start: usize) -> u64 {
    if start > 0 {
        return changes(chunk, &row[start - 1..][..chunk.len()]);
    }
    // The first pixel of a row has no left neighbour.
    changes(&chunk[1..], &chunk[..chunk.len() - 1]) << 1
}

fn changes(row: &[Color], other: &[Color]) -> u64 {
    // Most rows of a console are blank, and comparing bytes is fast.
    if row.as_flattened() == other.as_flattened() {
        return 0;
    }
    let pairs = row.iter().zip(other).enumerate();
    pairs.fold(0, |bits, (bit, (a, b))| bits | u64::from(a != b) << bit)
}

fn unite(all: &mut [u64], more: &[u64]) {
    for (all, more) in all.iter_mut().zip(more) {
        *all |= more;
    }
}

/// The `count` bits from bit `from` on; `count` is at most 64.
fn bits(words: &[u64], from: usize, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    let (word, shift) = (from / WORD, from % WORD);
    let low = words[word] >> shift;
    let high = match words.get(word + 1) {
        Some(next) if shift > 0 => next << (WORD - shift),
        _ => 0,
    };
    (low | high) & (u64::MAX >> (WORD - count))
}
