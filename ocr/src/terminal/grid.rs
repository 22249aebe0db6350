//! Grids of cells on a screen: where text is monospaced.
//!
//! Equal characters are equal pixels, and they are whole cells apart. So the distances
//! between equal blobs show the size of the cells.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::pitch::{phase, pitch};
use crate::blobs::Blob;

/// In pixels.
const WIDTHS: RangeInclusive<usize> = 4..=32;

/// In pixels.
const HEIGHTS: RangeInclusive<usize> = 7..=64;

/// Smaller blobs are dots, which are in different places of different letters; in pixels.
const DOT: usize = 4;

/// Rows and columns of cells, in pixels of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) cell_width: usize,
    pub(crate) cell_height: usize,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Whether it is one row, of which only the height of its letters is known.
    pub(crate) is_one_row: bool,
}

impl Grid {
    /// Exclusive.
    pub(crate) fn right(&self) -> usize {
        self.left + self.columns * self.cell_width
    }

    /// Exclusive.
    pub(crate) fn bottom(&self) -> usize {
        self.top + self.rows * self.cell_height
    }

    /// The upper left corner of a cell.
    pub(super) fn place(&self, column: usize, row: usize) -> (usize, usize) {
        (
            self.left + column * self.cell_width,
            self.top + row * self.cell_height,
        )
    }

    /// Whether a row with these bounds is within one of the rows.
    fn has_row(&self, row: &Self) -> bool {
        let above = (row.top + self.cell_height - self.top % self.cell_height) % self.cell_height;
        let slack = self.cell_height / 8;
        above + row.cell_height <= self.cell_height + slack
    }

    pub(crate) fn contains(&self, blob: &Blob) -> bool {
        blob.left >= self.left
            && blob.right <= self.right()
            && blob.top >= self.top
            && blob.bottom <= self.bottom()
    }
}

/// Text with one size of cells.
struct Text<'b> {
    blobs: Vec<&'b Blob>,
    cell_width: usize,
    cell_height: usize,
    /// Whether it is one row, of which only the height of its letters is known.
    is_one_row: bool,
}

/// The grids of a screen.
pub(crate) fn find(blobs: &[Blob]) -> Vec<Grid> {
    let mut areas: BTreeMap<usize, Vec<&Blob>> = BTreeMap::new();
    for blob in blobs {
        if blob.width() <= 2 * WIDTHS.end() && blob.height() <= *HEIGHTS.end() {
            areas.entry(blob.area).or_default().push(blob);
        }
    }
    let texts = areas.into_values().flat_map(of_area).collect();
    join(texts).iter().map(Text::grid).collect()
}

fn of_area(blobs: Vec<&Blob>) -> Vec<Text<'_>> {
    let Some(cell_width) = pitch(&horizontal_distances(&blobs), widths(&blobs)) else {
        return Vec::new();
    };
    let text = |blobs, cell_height, is_one_row| Text {
        blobs,
        cell_width,
        cell_height,
        is_one_row,
    };
    if let Some(cell_height) = pitch(&vertical_distances(&blobs), heights(&blobs, cell_width)) {
        return vec![text(blobs, cell_height, false)];
    }
    let bands = bands(blobs).into_iter().map(|band| {
        let cell_height = height(&band);
        text(band, cell_height, true)
    });
    bands
        .filter(|text| HEIGHTS.contains(&text.cell_height))
        .collect()
}

/// Joins texts of a screen that are on the same grid, such as the parts of a terminal with
/// different backgrounds.
fn join(texts: Vec<Text<'_>>) -> Vec<Text<'_>> {
    let mut joined: Vec<Text<'_>> = Vec::new();
    for mut text in texts {
        while let Some(index) = joined.iter().position(|other| text.is_on_grid_of(other)) {
            let other = joined.swap_remove(index);
            text.blobs.extend(other.blobs);
            text.cell_height = text.cell_height.max(other.cell_height);
            text.is_one_row &= other.is_one_row;
        }
        joined.push(text);
    }
    joined
}

impl Text<'_> {
    fn grid(&self) -> Grid {
        let blobs = &self.blobs;
        let columns = || blobs.iter().map(|blob| (blob.left, blob.right));
        let rows = || blobs.iter().map(|blob| (blob.top, blob.bottom));
        let (left, columns) = cells(columns(), self.cell_width);
        let (top, rows) = cells(rows(), self.cell_height);
        Grid {
            left,
            top,
            cell_width: self.cell_width,
            cell_height: self.cell_height,
            columns,
            rows,
            is_one_row: self.is_one_row,
        }
    }

    fn is_on_grid_of(&self, other: &Self) -> bool {
        let (a, b) = (self.grid(), other.grid());
        let is_near = |(start, end), (other_start, other_end), cell| {
            start <= other_end + 2 * cell && other_start <= end + 2 * cell
        };
        a.cell_width == b.cell_width
            && is_near((a.left, a.right()), (b.left, b.right()), a.cell_width)
            && is_near((a.top, a.bottom()), (b.top, b.bottom()), a.cell_height)
            && is_same(a.left, b.left, a.cell_width)
            && match (self.is_one_row, other.is_one_row) {
                (false, false) => {
                    a.cell_height == b.cell_height && is_same(a.top, b.top, a.cell_height)
                }
                (true, false) => b.has_row(&a),
                (false, true) => a.has_row(&b),
                (true, true) => false,
            }
    }
}

/// Whether two places are on lines of one grid: these are known up to the space between
/// letters.
fn is_same(a: usize, b: usize, cell: usize) -> bool {
    let distance = a.abs_diff(b) % cell;
    distance.min(cell - distance) * 4 <= cell
}

/// The possible widths of cells.
fn widths(blobs: &[&Blob]) -> RangeInclusive<usize> {
    let letters = blobs.iter().filter(|blob| blob.height() > DOT);
    let mut widths: Vec<usize> = letters.map(|blob| blob.width()).collect();
    widths.sort_unstable();
    let median = widths.get(widths.len() / 2).copied().unwrap_or(0);
    let wide = most(widths);
    *WIDTHS.start()..=(wide * 3 / 2).min(median * 2 + 1).min(*WIDTHS.end())
}

/// A size that most are below.
fn most(mut sizes: Vec<usize>) -> usize {
    sizes.sort_unstable();
    sizes.get(sizes.len() * 9 / 10).copied().unwrap_or(0)
}

/// The possible heights of cells.
fn heights(blobs: &[&Blob], cell_width: usize) -> RangeInclusive<usize> {
    let tall = most(blobs.iter().map(|blob| blob.height()).collect());
    tall.max(*HEIGHTS.start())..=(cell_width * 3).min(*HEIGHTS.end())
}

/// The distances between equal blobs that follow each other in a row, each once.
fn horizontal_distances(blobs: &[&Blob]) -> Vec<usize> {
    let letters = blobs.iter().filter(|blob| is_letter(blob));
    let mut places: Vec<_> = letters
        .map(|blob| (blob.shape, blob.top, blob.left))
        .collect();
    places.sort_unstable();
    let pairs = places
        .windows(2)
        .filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    distinct(pairs.map(|pair| (pair[0].0, pair[1].2 - pair[0].2)))
}

/// The distances between rows in which equal blobs are, each once.
fn vertical_distances(blobs: &[&Blob]) -> Vec<usize> {
    let letters = blobs.iter().filter(|blob| is_letter(blob));
    let mut places: Vec<_> = letters.map(|blob| (blob.shape, blob.top)).collect();
    places.sort_unstable();
    places.dedup();
    let pairs = places.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    distinct(pairs.map(|pair| (pair[0].0, pair[1].1 - pair[0].1)))
}

fn is_letter(blob: &Blob) -> bool {
    blob.width() > DOT || blob.height() > DOT
}

/// Text that is repeated, such as a column of equal words, repeats its distances, which
/// proves nothing.
fn distinct(distances: impl Iterator<Item = (u64, usize)>) -> Vec<usize> {
    let mut distances: Vec<_> = distances.collect();
    distances.sort_unstable();
    distances.dedup();
    distances
        .into_iter()
        .map(|(_, distance)| distance)
        .collect()
}

/// The start of the first cell and the number of cells that cover the spans.
fn cells(spans: impl Iterator<Item = (usize, usize)> + Clone, pitch: usize) -> (usize, usize) {
    let phase = phase(spans.clone(), pitch);
    let first = spans.clone().map(|(start, _)| start).min().unwrap_or(0);
    let last = spans.map(|(_, end)| end).max().unwrap_or(0);
    let before = (first + pitch - phase) % pitch;
    // A cell may not begin outside of the screen.
    let start = if before <= first {
        first - before
    } else {
        first + pitch - before
    };
    (start, last.saturating_sub(start).div_ceil(pitch))
}

/// The blobs of each line of text, separated by rows without any.
fn bands(mut blobs: Vec<&Blob>) -> Vec<Vec<&Blob>> {
    blobs.sort_by_key(|blob| blob.top);
    let mut bottom = 0;
    let mut bands: Vec<Vec<&Blob>> = Vec::new();
    for blob in blobs {
        match bands.last_mut() {
            Some(band) if blob.top < bottom => band.push(blob),
            _ => bands.push(vec![blob]),
        }
        bottom = bottom.max(blob.bottom);
    }
    bands
}

fn height(band: &[&Blob]) -> usize {
    let top = band.iter().map(|blob| blob.top).min().unwrap_or(0);
    let bottom = band.iter().map(|blob| blob.bottom).max().unwrap_or(0);
    bottom - top
}
