//! The cells of a grid, grouped by what is drawn in them.

use std::collections::{HashMap, HashSet};

use super::grid::Grid;
use crate::Image;
use crate::color::{Color, distance};

/// A cell whose colours differ by less than this is blank.
const MIN_CONTRAST: u8 = 24;

/// More different cells than this are not text.
const MAX_MASKS: usize = 4000;

/// What is drawn in a cell, whatever its colours: of each pixel, the distance from the
/// cell's background, 255 for the most distant one.
pub(crate) type Mask = Vec<u8>;

/// A grid's cells.
pub(crate) struct Cells {
    pub(crate) grid: Grid,
    /// The width and height of the screen, which ends within the last cells.
    pub(super) screen: (usize, usize),
    /// The different things that are drawn, the most frequent first.
    pub(crate) glyphs: Vec<Mask>,
    /// Of each cell, row by row, the index in `glyphs`; `None` for a blank cell.
    pub(crate) contents: Vec<Option<usize>>,
    /// Of each cell, the colour of what is drawn.
    colors: Vec<Color>,
}

/// The largest difference between the colours of letters of one word.
const MAX_DIFFERENCE: u8 = 64;

impl Cells {
    /// Returns `None` if there are too many different things for a font.
    pub(crate) fn new(image: &Image, grid: Grid) -> Option<Self> {
        let places =
            (0..grid.rows).flat_map(|row| (0..grid.columns).map(move |column| (column, row)));
        let masks = places.map(|(column, row)| mask(image, &grid, column, row));
        let (masks, colors): (Vec<Option<Mask>>, Vec<Color>) = masks.unzip();
        let mut counts: HashMap<&Mask, usize> = HashMap::new();
        for mask in masks.iter().flatten() {
            *counts.entry(mask).or_default() += 1;
        }
        if counts.len() > MAX_MASKS {
            return None;
        }
        let mut distinct: Vec<_> = counts.into_iter().collect();
        distinct.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        let mut glyphs: Vec<Mask> = Vec::new();
        let mut numbers: HashMap<&Mask, usize> = HashMap::new();
        for (mask, _) in distinct {
            let known = glyphs.iter().position(|glyph| are_alike(glyph, mask));
            numbers.insert(mask, known.unwrap_or(glyphs.len()));
            if known.is_none() {
                glyphs.push(mask.clone());
            }
        }
        let number = |mask: &Option<Mask>| mask.as_ref().map(|mask| numbers[mask]);
        let contents = masks.iter().map(number).collect();
        Some(Self {
            grid,
            screen: (image.width() as usize, image.height() as usize),
            glyphs,
            contents,
            colors,
        })
    }

    /// The pairs of glyphs that are beside each other in one colour.
    pub(super) fn neighbours(&self) -> HashSet<(usize, usize)> {
        let places = 1..self.contents.len();
        let in_row = places.filter(|place| !place.is_multiple_of(self.grid.columns));
        let pairs = in_row.filter_map(|place| {
            let is_same = distance(self.colors[place - 1], self.colors[place]) <= MAX_DIFFERENCE;
            let (before, after) = (self.contents[place - 1], self.contents[place]);
            is_same.then_some((before?, after?))
        });
        pairs.collect()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[Option<usize>]> {
        self.contents.chunks(self.grid.columns)
    }
}

/// What is drawn in a cell, `None` for a blank one, and the colour.
fn mask(image: &Image, grid: &Grid, column: usize, row: usize) -> (Option<Mask>, Color) {
    let (left, top) = grid.place(column, row);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let right = (left + grid.cell_width).min(width);
    let rows = (top..top + grid.cell_height).map(|y| {
        let y = y.min(height - 1);
        &image.pixels()[y * width..][left.min(right)..right]
    });
    let Some(background) = most_frequent(rows.clone().flatten()) else {
        return (None, [0; 3]);
    };
    let color = rows
        .clone()
        .flatten()
        .max_by_key(|&&pixel| distance(pixel, background));
    let color = color.copied().unwrap_or(background);
    let mut mask = Vec::with_capacity(grid.cell_width * grid.cell_height);
    for (y, pixels) in rows.enumerate() {
        mask.extend(pixels.iter().map(|&pixel| distance(pixel, background)));
        mask.resize((y + 1) * grid.cell_width, 0);
    }
    let strongest = distance(color, background);
    if strongest < MIN_CONTRAST || is_overhang(&mask, grid.cell_width) {
        return (None, color);
    }
    for pixel in &mut mask {
        let scaled = u16::from(*pixel) * 255 / u16::from(strongest);
        *pixel = u8::try_from(scaled).unwrap_or(u8::MAX);
    }
    (Some(mask), color)
}

/// Whether only the first or the last column is drawn: a part of what is in the cell beside.
fn is_overhang(mask: &Mask, width: usize) -> bool {
    let is_drawn = |column: usize| {
        let mut pixels = mask.iter().skip(column).step_by(width);
        pixels.any(|&pixel| pixel >= MIN_CONTRAST)
    };
    let drawn: Vec<usize> = (0..width).filter(|&column| is_drawn(column)).collect();
    drawn == [0] || drawn == [width - 1]
}

fn most_frequent<'p>(pixels: impl Iterator<Item = &'p Color>) -> Option<Color> {
    let mut counts: Vec<(Color, usize)> = Vec::new();
    for &pixel in pixels {
        match counts.iter_mut().find(|(color, _)| *color == pixel) {
            Some((_, count)) => *count += 1,
            None => counts.push((pixel, 1)),
        }
    }
    counts
        .into_iter()
        .max_by_key(|&(_, count)| count)
        .map(|(color, _)| color)
}

/// Whether two masks show the same: where letters overlap the cell beside theirs, or are
/// drawn in another colour, their pixels differ a little.
fn are_alike(a: &Mask, b: &Mask) -> bool {
    let pairs = || a.iter().zip(b);
    // Ends early for most.
    if pairs().any(|(a, b)| a.abs_diff(*b) > 64) {
        return false;
    }
    let different: usize = pairs().map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
    let all: usize = pairs().map(|(a, b)| usize::from(*a.max(b))).sum();
    different * 12 <= all
}
