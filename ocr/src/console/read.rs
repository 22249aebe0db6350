//! From what the cells may be to what is read, or to the insight that this is no
//! console.

use std::char::REPLACEMENT_CHARACTER;

use crate::Image;

use super::cell_size::CellSize;
use super::cursor::char_under;
use super::fonts::{FaceId, Fonts, Glyphs};
use super::grid::{Grid, Survey, Tally, What};
use super::picture::Picture;
use super::text::Text;
use super::text_console::TextConsole;

/// Wider or higher pictures are not read: no console is that large.
const LARGEST: u32 = 8192;

/// Of ten letters and digits, one other cell may be unknown.
const KNOWN_PER_UNKNOWN: usize = 10;

/// So many unknown cells are examined for a cursor, of which there is one.
const CURSOR_TRIES: usize = 16;

/// In pixels; the kernel's is 80×80, and most of it has more than two colours.
const SMALLEST_LOGO: usize = 40 * 40;

/// What an underline cursor on a blank looks like, in fonts that have these.
const LOWER_BARS: &str = "⎽▁‗";

/// A grid that makes sense, with its text.
struct Reading {
    console: TextConsole,
    /// How many cells are letters, digits and the like.
    telling: usize,
}

impl Fonts {
    /// Reads the text console on `image`; `None` if there is none, or none in these
    /// fonts. See the [module](super) for what counts as one.
    ///
    /// Pictures of more than 8192 pixels either way are not read.
    pub fn read(&self, image: &Image) -> Option<TextConsole> {
        if image.width().max(image.height()) > LARGEST {
            return None;
        }
        let picture = Picture::new(image);
        let (width, height) = (image.width() as usize, image.height() as usize);
        let readings = self.by_size().flat_map(|(size, glyphs)| {
            let grids = Grid::candidates(width, height, size);
            grids.filter_map(|grid| grid.survey(&picture, glyphs)?.read(&picture, glyphs))
        });
        let best = readings.max_by_key(|reading| reading.telling);
        best.map(|reading| reading.console)
    }
}

impl Survey<'_> {
    /// The text, in the face that most of it is in; `None` if too much is unknown.
    fn read(&self, picture: &Picture<'_>, glyphs: &Glyphs) -> Option<Reading> {
        let (face, Tally { telling, .. }) = best(&self.tallies)?;
        let grid = self.grid;
        let has_logo = self.has_logo();

        let mut chars = vec![' '; grid.columns * grid.rows];
        let mut unknown = Vec::new();
        for seen in &self.seen {
            let char = match &seen.what {
                What::Glyph(glyph) => glyph
                    .in_face(face, self.background)
                    .or_else(|| glyph.elsewhere(glyphs, face, self.background)),
                What::TwoColours | What::Picture => None,
            };
            if let Some(char) = char {
                chars[seen.index] = char;
            } else if !(has_logo && grid.is_at_top(seen.index)) {
                chars[seen.index] = REPLACEMENT_CHARACTER;
                unknown.push(seen.index);
            }
        }
        let cursor = unknown.iter().take(CURSOR_TRIES).enumerate();
        let mut cursor = cursor.filter_map(|(place, &index)| {
            Some((
                place,
                index,
                self.under_cursor(picture, index, glyphs, face)?,
            ))
        });
        if let Some((place, index, char)) = cursor.next() {
            chars[index] = char;
            unknown.swap_remove(place);
        } else {
            let bars = self.seen.iter().map(|seen| seen.index);
            let mut bars = bars.filter(|&index| LOWER_BARS.contains(chars[index]));
            if let (Some(only), None) = (bars.next(), bars.next()) {
                chars[only] = ' ';
            }
        }

        if telling == 0 || unknown.len() * KNOWN_PER_UNKNOWN > telling {
            return None;
        }
        Some(Reading {
            console: TextConsole::new(Text::new(grid.columns, &chars), grid.cell, unknown.len()),
            telling,
        })
    }

    /// Whether there is enough of a picture at the top to be a logo.
    fn has_logo(&self) -> bool {
        let CellSize { width, height } = self.grid.cell;
        let pictorial = self
            .seen
            .iter()
            .filter(|seen| matches!(seen.what, What::Picture) && self.grid.is_at_top(seen.index));
        pictorial.count() * (width * height) as usize >= SMALLEST_LOGO
    }

    fn under_cursor(
        &self,
        picture: &Picture<'_>,
        index: usize,
        glyphs: &Glyphs,
        face: FaceId,
    ) -> Option<char> {
        let mut bitmap = Vec::new();
        self.grid.read_cell(picture, index, &mut bitmap)?;
        char_under(&mut bitmap, self.grid.glyph, glyphs, face)
    }
}

/// The first of the highest.
fn best(tallies: &[Tally]) -> Option<(FaceId, Tally)> {
    let tallies = tallies.iter().copied().enumerate();
    tallies.rev().max_by_key(|(_, tally)| *tally)
}
