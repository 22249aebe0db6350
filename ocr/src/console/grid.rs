//! A picture as a grid of cells, and how well it fits the fonts.

use std::collections::HashMap;

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::fonts::{FaceId, Glyphs, Readings};
use super::picture::{Cell, Picture};
use crate::color::Color;

/// The number of cells after which a grid that fits badly is given up.
const SAMPLE: usize = 64;

/// The height in pixels of the Linux kernel's logo, at the top of a framebuffer console.
const LOGO_HEIGHT: usize = 80;

/// A division of a picture into cells, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) cell: CellSize,
    /// Narrower than the cell in a VGA's text mode: see [`Grid::candidates`].
    pub(super) glyph: CellSize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A cell that is not blank.
pub(super) struct UsedCell<'f> {
    /// Counted row by row.
    pub(super) index: usize,
    pub(super) content: Content<'f>,
}

pub(super) enum Content<'f> {
    /// A known glyph.
    Glyph(Glyph<'f>),
    /// Two colours, but not a known glyph.
    TwoColors,
    /// More than two colours.
    Picture,
}

/// The readings of a cell, for either of its two colours as the background.
pub(super) struct Glyph<'f> {
    /// With the corner's colour as the background.
    pub(super) plain: Option<&'f Readings>,
    /// With the other colour as the background.
    pub(super) inverse: Option<&'f Readings>,
    /// The colour that is not the corner's.
    pub(super) other: Color,
}

/// A picture divided into a grid, looked up in all faces of a size.
pub(super) struct Survey<'f> {
    pub(super) grid: Grid,
    /// The cells that are not blank, in order.
    pub(super) cells: Vec<UsedCell<'f>>,
    /// The colour of most blank cells.
    pub(super) background: Option<Color>,
    /// One for each face.
    pub(super) tallies: Vec<Tally>,
}

/// How well a face fits. The order of the fields is that of their importance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tally {
    /// The number of cells with characters that nothing else on a screen looks like.
    pub(super) distinctive: usize,
    /// The number of cells with any characters.
    known: usize,
}

impl Grid {
    /// The possible grids of a picture for glyphs of this size.
    ///
    /// A VGA shows glyphs of 8 pixels in cells of 9. The ninth column is blank or, to
    /// connect lines, a copy of the eighth: for characters 0xc0 to 0xdf on a real VGA,
    /// from 0xb0 on in QEMU (`hw/display/vga.c`). Either is accepted for any character.
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

    /// The distance of the cell from the upper left corner of the picture, in pixels.
    pub(super) fn position(&self, index: usize) -> (usize, usize) {
        let (column, row) = (index % self.columns, index / self.columns);
        (
            column * self.cell.width as usize,
            row * self.cell.height as usize,
        )
    }

    /// Whether the cell may be part of a logo.
    pub(super) fn is_at_top(&self, index: usize) -> bool {
        self.position(index).1 < LOGO_HEIGHT
    }

    /// Reads the cell into `bitmap`, in the form of a font's bitmaps. Returns `None` if
    /// it does not have two colours, or has a ninth column that a VGA never shows.
    pub(super) fn read_cell(
        &self,
        picture: &Picture<'_>,
        index: usize,
        bitmap: &mut Vec<u8>,
    ) -> Option<Cell> {
        let (x, y) = self.position(index);
        let cell = picture.cell(x, y, self.cell, bitmap)?;
        if self.cell != self.glyph {
            // Nine pixels are two bytes; the second one has the ninth pixel.
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

    /// Looks up every cell. Returns `None` if most of them are not known glyphs.
    pub(super) fn survey<'f>(
        self,
        picture: &Picture<'_>,
        glyphs: &'f Glyphs,
    ) -> Option<Survey<'f>> {
        let mut cells: Vec<UsedCell<'f>> = Vec::new();
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
                    *blanks.entry(picture.color(x, y)).or_default() += 1;
                    continue;
                }
                let content = match self.read_cell(picture, index, &mut bitmap) {
                    Some(cell) => self.look_up(glyphs, &mut bitmap, &cell),
                    None => Content::Picture,
                };
                if let Content::Glyph(glyph) = &content {
                    glyph.count(&mut tallies);
                }
                if !self.is_at_top(index) {
                    below_top += 1;
                    misfits += usize::from(!matches!(content, Content::Glyph(_)));
                    if below_top >= SAMPLE && misfits * 2 > below_top {
                        return None;
                    }
                }
                cells.push(UsedCell { index, content });
            }
        }
        Some(Survey {
            grid: self,
            cells,
            background: blanks.into_iter().max_by_key(|(_, n)| *n).map(|(c, _)| c),
            tallies,
        })
    }

    fn look_up<'f>(&self, glyphs: &'f Glyphs, bitmap: &mut [u8], cell: &Cell) -> Content<'f> {
        let plain = glyphs.get(bitmap);
        invert(bitmap, self.glyph);
        let inverse = glyphs.get(bitmap);
        if plain.is_none() && inverse.is_none() {
            return Content::TwoColors;
        }
        Content::Glyph(Glyph {
            plain,
            inverse,
            other: cell.other,
        })
    }
}

impl Glyph<'_> {
    /// The reading in `face`.
    pub(super) fn in_face(&self, face: FaceId, background: Option<Color>) -> Option<char> {
        self.choose(background, |readings| readings.in_face(face))
    }

    /// The reading in other faces than `face`.
    pub(super) fn in_other_faces(
        &self,
        glyphs: &Glyphs,
        face: FaceId,
        background: Option<Color>,
    ) -> Option<char> {
        self.choose(background, |readings| glyphs.in_other_faces(face, readings))
    }

    /// If both readings are characters (`▀` and `▄`, `░` and `▓`), chooses the one whose
    /// background is that of the screen.
    fn choose(
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

    /// Counts the glyph for each face that contains it.
    fn count(&self, tallies: &mut [Tally]) {
        for (face, tally) in tallies.iter_mut().enumerate() {
            let both = [self.plain, self.inverse];
            let readings = both.into_iter().flatten();
            let mut chars = readings
                .filter_map(|readings| readings.in_face(face))
                .peekable();
            tally.known += usize::from(chars.peek().is_some());
            tally.distinctive += usize::from(chars.any(is_distinctive));
        }
    }
}

/// Whether only text looks like this character. Lines, bars, blocks and dots occur on any
/// desktop.
fn is_distinctive(char: char) -> bool {
    char.is_alphanumeric() || "#$%&?@".contains(char)
}
