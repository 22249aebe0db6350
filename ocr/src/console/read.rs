//! Reading a grid: its characters, and whether it is a console at all.

use std::char::REPLACEMENT_CHARACTER;

use crate::Image;

use super::cell_size::CellSize;
use super::cursor::char_under;
use super::fonts::{FaceId, Fonts, Glyphs};
use super::grid::{Content, Grid, Survey, Tally};
use super::picture::Picture;
use super::text::Text;
use super::text_console::TextConsole;

/// The longest side of a picture in pixels. No console is larger.
const MAX_SIDE: u32 = 8192;

/// The number of distinctive characters that are required for each unknown cell.
const KNOWN_PER_UNKNOWN: usize = 10;

/// The number of unknown cells that are examined for the cursor.
const CURSOR_TRIES: usize = 16;

/// In pixels. The kernel's logo has 80×80, most of them in cells of more than two colours.
const MIN_LOGO: usize = 40 * 40;

/// What an underline cursor on a blank looks like, in fonts with these characters.
const LOWER_BARS: &str = "⎽▁‗";

/// The text of a grid that fits.
struct Reading {
    console: TextConsole,
    /// The number of distinctive characters.
    distinctive: usize,
}

/// The characters of a grid.
struct Chars {
    chars: Vec<char>,
    /// The indices of cells that could not be read.
    unknown: Vec<usize>,
}

impl Fonts {
    /// Reads the text console on `image`. Returns `None` if there is none, or if its font
    /// is not one of these. See the [module](super) for what counts as a console.
    ///
    /// Pictures with a side of more than 8192 pixels are not read.
    pub fn read(&self, image: &Image) -> Option<TextConsole> {
        if image.width().max(image.height()) > MAX_SIDE {
            return None;
        }
        let picture = Picture::new(image);
        let (width, height) = (image.width() as usize, image.height() as usize);
        let readings = self.by_size().flat_map(|(size, glyphs)| {
            let grids = Grid::candidates(width, height, size);
            grids.filter_map(|grid| grid.survey(&picture, glyphs)?.read(&picture, glyphs))
        });
        let best = readings.max_by_key(|reading| reading.distinctive);
        best.map(|reading| reading.console)
    }
}

impl Survey<'_> {
    /// The text in the face that fits best; `None` if too much is unknown.
    fn read(&self, picture: &Picture<'_>, glyphs: &Glyphs) -> Option<Reading> {
        let (face, Tally { distinctive, .. }) = best(&self.tallies)?;
        let mut chars = self.chars(glyphs, face);
        if !self.read_under_cursor(&mut chars, picture, glyphs, face) {
            self.remove_bar_cursor(&mut chars);
        }
        let Chars { chars, unknown } = chars;
        if distinctive == 0 || unknown.len() * KNOWN_PER_UNKNOWN > distinctive {
            return None;
        }
        let Grid { columns, cell, .. } = self.grid;
        Some(Reading {
            console: TextConsole::new(Text::new(columns, &chars), cell, unknown.len()),
            distinctive,
        })
    }

    /// The characters in `face`, or else in other faces. A logo is blank.
    fn chars(&self, glyphs: &Glyphs, face: FaceId) -> Chars {
        let grid = self.grid;
        let has_logo = self.has_logo();
        let mut chars = vec![' '; grid.columns * grid.rows];
        let mut unknown = Vec::new();
        for cell in &self.cells {
            let char = match &cell.content {
                Content::Glyph(glyph) => glyph
                    .in_face(face, self.background)
                    .or_else(|| glyph.in_other_faces(glyphs, face, self.background)),
                Content::TwoColors | Content::Picture => None,
            };
            if let Some(char) = char {
                chars[cell.index] = char;
            } else if !(has_logo && grid.is_at_top(cell.index)) {
                chars[cell.index] = REPLACEMENT_CHARACTER;
                unknown.push(cell.index);
            }
        }
        Chars { chars, unknown }
    }

    /// Whether the pictures at the top are large enough to be a logo.
    fn has_logo(&self) -> bool {
        let CellSize { width, height } = self.grid.cell;
        let cells = self.cells.iter();
        let pictures = cells.filter(|cell| {
            matches!(cell.content, Content::Picture) && self.grid.is_at_top(cell.index)
        });
        pictures.count() * (width * height) as usize >= MIN_LOGO
    }

    /// Reads the first unknown cell that is a character under a cursor. Returns whether
    /// there is one.
    fn read_under_cursor(
        &self,
        chars: &mut Chars,
        picture: &Picture<'_>,
        glyphs: &Glyphs,
        face: FaceId,
    ) -> bool {
        let mut bitmap = Vec::new();
        let mut read = |index: usize| {
            self.grid.read_cell(picture, index, &mut bitmap)?;
            char_under(&mut bitmap, self.grid.glyph, glyphs, face)
        };
        let mut tries = chars.unknown.iter().take(CURSOR_TRIES).enumerate();
        let found = tries.find_map(|(number, &index)| Some((number, index, read(index)?)));
        let Some((number, index, char)) = found else {
            return false;
        };
        chars.chars[index] = char;
        chars.unknown.swap_remove(number);
        true
    }

    /// Turns a single bar into a blank.
    fn remove_bar_cursor(&self, chars: &mut Chars) {
        let indices = self.cells.iter().map(|cell| cell.index);
        let mut bars = indices.filter(|&index| LOWER_BARS.contains(chars.chars[index]));
        if let (Some(only), None) = (bars.next(), bars.next()) {
            chars.chars[only] = ' ';
        }
    }
}

/// The face with the highest tally, the first one in a tie.
fn best(tallies: &[Tally]) -> Option<(FaceId, Tally)> {
    let tallies = tallies.iter().copied().enumerate();
    tallies.rev().max_by_key(|(_, tally)| *tally)
}
