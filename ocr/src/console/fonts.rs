//! The fonts of a screen, indexed by their bitmaps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::font::Font;

/// Pairs of characters that are each other's inverse. In a font that has only one of a
/// pair, or divides the cell elsewhere, the other one would be read as its inverse.
const COMPLEMENTS: [(char, char); 4] = [('▀', '▄'), ('▄', '▀'), ('▌', '▐'), ('▐', '▌')];

/// Console fonts, indexed by the size of their cells and by the pixels of their glyphs.
///
/// The same design comes in many files, one per script. Fonts of one size with the same
/// glyphs for visible ASCII are one *face*; a screen is read in the face that fits most
/// of it. Within a face, a glyph that stands for several characters (Latin A, Greek Α,
/// Cyrillic А) is read as the character that most fonts have for it, and in a tie as the
/// one with the lowest code point. So ASCII comes first, because all fonts contain it,
/// and an error in a single font is outvoted. A font from a ROM or a kernel outweighs
/// files, and a font learnt from a screen outweighs all others.
#[derive(Debug, Clone, Default)]
pub struct Fonts {
    sizes: BTreeMap<CellSize, Glyphs>,
}

/// All glyphs of one size.
#[derive(Debug, Clone, Default)]
pub(super) struct Glyphs {
    by_bitmap: HashMap<Box<[u8]>, Readings>,
    faces: Vec<Face>,
}

/// The readings of a bitmap in all faces.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Vec<Reading>);

/// A character for which a bitmap stands in a face.
#[derive(Debug, Clone)]
struct Reading {
    face: FaceId,
    char: char,
    /// The weight of the fonts with this character.
    fonts: u32,
}

/// The index in `Glyphs::faces`.
pub(super) type FaceId = usize;

/// The glyphs for visible ASCII, which the fonts of a face have in common.
#[derive(Debug, Clone, Default)]
struct Face(BTreeMap<char, Box<[u8]>>);

impl Fonts {
    /// An empty collection, with which no screen can be read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the glyphs of `font`. If several faces fit a screen equally well, the one
    /// added first is used.
    pub fn add(&mut self, font: &Font) {
        let glyphs = self.sizes.entry(font.size()).or_default();
        let face = glyphs.face_of(font);
        for (char, bitmap) in font.glyphs() {
            // Blank cells are read without a font.
            if bitmap.iter().any(|&byte| byte != 0) {
                glyphs.add(face, char, bitmap, font.weight);
            }
        }
        for (char, complement) in COMPLEMENTS {
            if let Some(bitmap) = font.bitmap(char) {
                let mut bitmap = bitmap.to_vec();
                invert(&mut bitmap, font.size());
                glyphs.add(face, complement, &bitmap, font.weight);
            }
        }
    }

    /// Whether there are no fonts.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The sizes of the glyphs, in ascending order of their widths.
    pub fn sizes(&self) -> impl Iterator<Item = CellSize> {
        self.sizes.keys().copied()
    }

    pub(super) fn by_size(&self) -> impl Iterator<Item = (CellSize, &Glyphs)> {
        self.sizes.iter().map(|(size, glyphs)| (*size, glyphs))
    }
}

impl Glyphs {
    /// The face that agrees with the font, or a new one.
    fn face_of(&mut self, font: &Font) -> FaceId {
        let agreeing = self.faces.iter().position(|face| face.agrees(font));
        let id = agreeing.unwrap_or_else(|| {
            self.faces.push(Face::default());
            self.faces.len() - 1
        });
        for (char, bitmap) in font.glyphs().filter(|(char, _)| char.is_ascii_graphic()) {
            self.faces[id]
                .0
                .entry(char)
                .or_insert_with(|| bitmap.into());
        }
        id
    }

    fn add(&mut self, face: FaceId, char: char, bitmap: &[u8], weight: u32) {
        let readings = match self.by_bitmap.get_mut(bitmap) {
            Some(readings) => readings,
            None => self.by_bitmap.entry(bitmap.into()).or_default(),
        };
        let mut same = readings.0.iter_mut();
        match same.find(|reading| (reading.face, reading.char) == (face, char)) {
            Some(reading) => reading.fonts = reading.fonts.saturating_add(weight),
            None => readings.0.push(Reading {
                face,
                char,
                fonts: weight,
            }),
        }
    }

    pub(super) fn get(&self, bitmap: &[u8]) -> Option<&Readings> {
        self.by_bitmap.get(bitmap)
    }

    pub(super) fn face_count(&self) -> usize {
        self.faces.len()
    }

    /// The bitmaps of `face` with their characters, in no particular order.
    pub(super) fn of_face(&self, face: FaceId) -> impl Iterator<Item = (&[u8], char)> {
        self.by_bitmap
            .iter()
            .filter_map(move |(bitmap, readings)| Some((&**bitmap, readings.in_face(face)?)))
    }

    /// The reading in another face of a bitmap that `face` does not contain. Characters
    /// for which `face` has another glyph are excluded.
    pub(super) fn in_other_faces(&self, face: FaceId, readings: &Readings) -> Option<char> {
        let known = &self.faces[face].0;
        let others = readings.0.iter();
        likeliest(others.filter(|reading| !known.contains_key(&reading.char)))
    }
}

impl Readings {
    pub(super) fn in_face(&self, face: FaceId) -> Option<char> {
        likeliest(self.0.iter().filter(|reading| reading.face == face))
    }
}

fn likeliest<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<char> {
    let likeliest = readings.max_by_key(|reading| (reading.fonts, Reverse(reading.char)));
    likeliest.map(|reading| reading.char)
}

impl Face {
    /// Whether the characters that both have look the same, and there is at least one.
    fn agrees(&self, font: &Font) -> bool {
        let mut shared = self.0.iter().filter_map(|(char, bitmap)| {
            let other = font.bitmap(*char)?;
            Some(**bitmap == *other)
        });
        shared.next() == Some(true) && shared.all(|same| same)
    }
}
