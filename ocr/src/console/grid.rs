//! A picture as a grid of cells: what each may be, and how well they fit a font.

use std::collections::HashMap;

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::fonts::{FaceId, Glyphs, Readings};
use super::picture::{Cell, Picture};
use crate::color::Color;

/// So many cells are looked at before a grid that fits badly is given up.
const ENOUGH: usize = 64;

/// The Linux kernel draws its logo so high, at the top of a framebuffer console.
const LOGO_HEIGHT: usize = 80;

/// How a picture may be divided into cells, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) cell: CellSize,
    /// Narrower than the cell in a VGA's text mode: see [`Grid::candidates`].
    pub(super) glyph: CellSize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A cell that is not blank.
pub(super) struct Seen<'f> {
    /// Row by row.
    pub(super) index: usize,
    pub(super) what: What<'f>,
}

pub(super) enum What<'f> {
    /// A known glyph.
    Glyph(Glyph<'f>),
    /// No known glyph, but two colours.
    TwoColours,
    /// More colours than a cell has.
    Picture,
}

/// The readings of a cell in which one of two colours is the background.
pub(super) struct Glyph<'f> {
    /// If it is the corner's colour.
    pub(super) plain: Option<&'f Readings>,
    /// If it is the other one.
    pub(super) inverse: Option<&'f Readings>,
    /// The colour that is not the corner's.
    pub(super) other: Color,
}

/// A picture read as a grid in all faces of a size.
pub(super) struct Survey<'f> {
    pub(super) grid: Grid,
    /// Those that are not blank, in order.
    pub(super) seen: Vec<Seen<'f>>,
    /// The colour of most blank cells.
    pub(super) background: Option<Color>,
    /// For each face.
    pub(super) tallies: Vec<Tally>,
}

/// How well a face fits, the more important count first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tally {
    /// Cells that are characters which nothing else on a screen looks like.
    pub(super) telling: usize,
    /// Cells that are any characters.
    known: usize,
}

impl Grid {
    /// The grids that a picture may have whose glyphs are of this size.
    ///
    /// A VGA shows glyphs of 8 pixels in cells of 9. The ninth column is blank or,
    /// so that lines join, the eighth once more: for characters 0xc0 to 0xdf on a
    /// real VGA, from 0xb0 on with QEMU (`hw/display/vga.c`). Which it is tells
    /// nothing that the other columns do not, so both are taken for any character.
    pub(super) fn candidates(
        picture_width: usize,
        picture_height: usize,
        glyph: CellSize,
    ) -> impl Iterator<Item = Self> {
        let with_ninth = (glyph.width == 8 && picture_width.is_multiple_of(9)).then_some(9);
        let widths = with_ninth.into_iter().chain([glyph.width]);
        let grids = widths.map(move |width| {
            let height = glyph.height;
            Self {
                cell: CellSize { width, height },
                glyph,
                columns: picture_width / width as usize,
                rows: picture_height / height as usize,
            }
        });
        grids.filter(|grid| grid.columns > 0 && grid.rows > 0)
    }

    /// In pixels from the upper left corner of the picture.
    pub(super) fn position(&self, index: usize) -> (usize, usize) {
        let (column, row) = (index % self.columns, index / self.columns);
        (
            column * self.cell.width as usize,
            row * self.cell.height as usize,
        )
    }

    /// Whether a logo may be in this cell.
    pub(super) fn is_at_top(&self, index: usize) -> bool {
        self.position(index).1 < LOGO_HEIGHT
    }

    /// Reads the cell into `bitmap`, in the form of a font's bitmaps; `None` if it
    /// has not two colours, or a ninth column that no VGA shows.
    pub(super) fn read_cell(
        &self,
        picture: &Picture<'_>,
        index: usize,
        bitmap: &mut Vec<u8>,
    ) -> Option<Cell> {
        let (x, y) = self.position(index);
        let cell = picture.cell(x, y, self.cell, bitmap)?;
        if self.cell != self.glyph {
            // Two bytes for nine pixels: the second one holds the ninth.
            let (rows, _) = bitmap.as_chunks::<2>();
            let ninth = |row: &[u8; 2]| row[1] & 0x80 != 0;
            let eighth = |row: &[u8; 2]| row[0] & 1 != 0;
            let blank = rows.iter().all(|row| ninth(row) == ninth(&rows[0]));
            if !blank && rows.iter().any(|row| ninth(row) != eighth(row)) {
                return None;
            }
            *bitmap = rows.iter().map(|row| row[0]).collect();
        }
        Some(cell)
    }

    /// Looks up every cell; `None` if most are no glyphs.
    pub(super) fn survey<'f>(
        self,
        picture: &Picture<'_>,
        glyphs: &'f Glyphs,
    ) -> Option<Survey<'f>> {
        let mut seen: Vec<Seen<'f>> = Vec::new();
        let mut misfits = 0;
        let mut below_top = 0;
        let mut blanks: HashMap<Color, usize> = HashMap::new();
        let mut tallies = vec![Tally::default(); glyphs.face_count()];
        let mut bitmap = Vec::new();
        for row in 0..self.rows {
            let (_, y) = self.position(row * self.columns);
            let band = picture.band(y, self.cell.height as usize);
            for index in row * self.columns..(row + 1) * self.columns {
                let (x, y) = self.position(index);
                if band.is_blank(x, self.cell.width as usize) {
                    *blanks.entry(picture.colour(x, y)).or_default() += 1;
                    continue;
                }
                let what = match self.read_cell(picture, index, &mut bitmap) {
                    Some(cell) => self.look_up(glyphs, &mut bitmap, &cell),
                    None => What::Picture,
                };
                if let What::Glyph(glyph) = &what {
                    glyph.count(&mut tallies);
                }
                if !self.is_at_top(index) {
                    below_top += 1;
                    misfits += usize::from(!matches!(what, What::Glyph(_)));
                    if below_top >= ENOUGH && misfits * 2 > below_top {
                        return None;
                    }
                }
                seen.push(Seen { index, what });
            }
        }
        Some(Survey {
            grid: self,
            seen,
            background: blanks.into_iter().max_by_key(|(_, n)| *n).map(|(c, _)| c),
            tallies,
        })
    }

    fn look_up<'f>(&self, glyphs: &'f Glyphs, bitmap: &mut [u8], cell: &Cell) -> What<'f> {
        let plain = glyphs.get(bitmap);
        invert(bitmap, self.glyph);
        let inverse = glyphs.get(bitmap);
        if plain.is_none() && inverse.is_none() {
            return What::TwoColours;
        }
        What::Glyph(Glyph {
            plain,
            inverse,
            other: cell.other,
        })
    }
}

impl Glyph<'_> {
    /// What it is in `face`, if anything.
    pub(super) fn in_face(&self, face: FaceId, background: Option<Color>) -> Option<char> {
        self.either_way(background, |readings| readings.in_face(face))
    }

    /// The same, in any face but this.
    pub(super) fn elsewhere(
        &self,
        glyphs: &Glyphs,
        face: FaceId,
        background: Option<Color>,
    ) -> Option<char> {
        self.either_way(background, |readings| glyphs.elsewhere(face, readings))
    }

    /// Where both ways round are characters (`▀` and `▄`, `░` and `▓`), the screen's
    /// background is taken for the cell's.
    fn either_way(
        &self,
        background: Option<Color>,
        read: impl Fn(&Readings) -> Option<char>,
    ) -> Option<char> {
        let plain = self.plain.and_then(&read);
        let inverse = self.inverse.and_then(&read);
        if background == Some(self.other) {
            inverse.or(plain)
        } else {
            plain.or(inverse)
        }
    }

    /// Counts it for each face that has it.
    fn count(&self, tallies: &mut [Tally]) {
        for (face, tally) in tallies.iter_mut().enumerate() {
            let both = [self.plain, self.inverse];
            let readings = both.into_iter().flatten();
            let mut chars = readings
                .filter_map(|readings| readings.in_face(face))
                .peekable();
            tally.known += usize::from(chars.peek().is_some());
            tally.telling += usize::from(chars.any(is_telling));
        }
    }
}

/// Whether nothing but text looks like it: lines, bars, blocks and dots are on any
/// desktop.
fn is_telling(char: char) -> bool {
    char.is_alphanumeric() || "#$%&?@".contains(char)
}
