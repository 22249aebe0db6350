//! Fonts learnt from a screen whose text is known.

use std::collections::{BTreeMap, HashMap};

use crate::Image;

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::font::Font;
use super::grid::Grid;
use super::picture::Picture;

/// A font learnt from a guest outvotes files, which may be of another font.
const WEIGHT: u32 = 1 << 16;

/// The number of occurrences of each bitmap for a character.
type Votes = HashMap<Vec<u8>, usize>;

impl Font {
    /// Learns glyphs from a screen. `rows` is the text on it, from the upper left corner,
    /// as read from the guest's `/dev/vcs1`; `cell` is the size of its cells. Cells of 9
    /// pixels are a VGA's, whose glyphs have 8.
    ///
    /// Of several glyphs for a character, the most frequent one counts, so a cursor has no
    /// effect; in a tie, none counts. The background is the most frequent colour of the
    /// screen, or of the cell where that does not occur. Blanks and characters outside the
    /// picture are ignored, so the font may be incomplete or empty.
    pub fn learn(image: &Image, cell: CellSize, rows: &[impl AsRef<str>]) -> Self {
        let width = if cell.width == 9 { 8 } else { cell.width };
        let size = CellSize { width, ..cell };
        if !size.is_sensible() {
            return Self::new(size, Vec::new(), []);
        }
        let (width, height) = (image.width() as usize, image.height() as usize);
        let grids = Grid::candidates(width, height, size);
        let Some(grid) = grids.into_iter().find(|grid| grid.cell == cell) else {
            return Self::new(size, Vec::new(), []);
        };
        Self::most_frequent(size, &votes(image, grid, rows))
    }

    /// Adds the glyphs of `more` for characters that this font does not contain. Does
    /// nothing if the sizes differ.
    pub fn extend(&mut self, more: &Self) {
        if self.size() != more.size() {
            return;
        }
        let new: Vec<_> = more
            .glyphs()
            .filter(|(char, _)| self.bitmap(*char).is_none())
            .collect();
        let all: Vec<_> = self.glyphs().chain(new).collect();
        let weight = self.weight;
        *self = Self::of_glyphs(self.size(), all);
        self.weight = weight;
    }

    fn most_frequent(size: CellSize, votes: &BTreeMap<char, Votes>) -> Self {
        let glyphs = votes.iter().filter_map(|(char, votes)| {
            let (bitmap, most) = votes.iter().max_by_key(|(_, count)| **count)?;
            let winners = votes.values().filter(|count| *count == most).count();
            (winners == 1).then_some((*char, &bitmap[..]))
        });
        Self::of_glyphs(size, glyphs)
    }

    fn of_glyphs<'a>(size: CellSize, glyphs: impl IntoIterator<Item = (char, &'a [u8])>) -> Self {
        let (chars, bitmaps): (Vec<_>, Vec<_>) = glyphs.into_iter().unzip();
        let chars = chars.into_iter().enumerate();
        let chars = chars.map(|(number, char)| (char, number));
        let mut font = Self::new(size, bitmaps.concat(), chars);
        font.weight = WEIGHT;
        font
    }
}

fn votes(image: &Image, grid: Grid, rows: &[impl AsRef<str>]) -> BTreeMap<char, Votes> {
    let picture = Picture::new(image);
    let background = most_frequent(image);
    let mut votes: BTreeMap<char, Votes> = BTreeMap::new();
    let mut bitmap = Vec::new();
    for (row, text) in rows.iter().take(grid.rows).enumerate() {
        for (column, char) in text.as_ref().chars().take(grid.columns).enumerate() {
            let index = row * grid.columns + column;
            if char.is_whitespace() {
                continue;
            }
            let Some(cell) = grid.read_cell(&picture, index, &mut bitmap) else {
                continue;
            };
            let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
            let mostly_set = set * 2 > grid.glyph.width * grid.glyph.height;
            let is_background = |color| background == Some(color);
            let corner_is_text =
                is_background(cell.other) || mostly_set && !is_background(cell.corner);
            if corner_is_text {
                invert(&mut bitmap, grid.glyph);
            }
            let votes = votes.entry(char).or_default();
            *votes.entry(bitmap.clone()).or_default() += 1;
        }
    }
    votes
}

fn most_frequent(image: &Image) -> Option<[u8; 3]> {
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    for same in image.pixels().chunk_by(|a, b| a == b) {
        *counts.entry(same[0]).or_default() += same.len();
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(color, _)| color)
}
