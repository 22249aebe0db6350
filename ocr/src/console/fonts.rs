//! The fonts a screen may be in, looked up by what a cell looks like.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::bitmap::invert;
use super::cell_size::CellSize;
use super::font::Font;

/// Characters that are each other with the colours swapped. In a font that lacks one
/// of them, or has the middle elsewhere, it would be read as the other, inverse.
const COMPLEMENTS: [(char, char); 4] = [('▀', '▄'), ('▄', '▀'), ('▌', '▐'), ('▐', '▌')];

/// Console fonts, indexed by the size of their cells and by their glyphs' pixels.
///
/// The same design comes in many files, one for each script. Fonts of one size
/// whose letters, digits and signs of ASCII look the same are one *face*, and a
/// screen is read in the face that most of it is in. In a face, what looks the same
/// (Latin A, Greek Α, Cyrillic А) is read as the character that most of its fonts
/// have for it, and of those that equally many have, as the one with the lowest code
/// point. So ASCII goes first, for all fonts have it, and a mistake in one of them
/// does no harm. A font from a ROM or a kernel outweighs files, and one learnt from a
/// screen outweighs all others.
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

/// What a bitmap stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Vec<Reading>);

/// What a bitmap stands for in a face.
#[derive(Debug, Clone)]
struct Reading {
    face: FaceId,
    char: char,
    /// How many fonts say so.
    fonts: u32,
}

/// Its place in `Glyphs::faces`.
pub(super) type FaceId = usize;

/// Its glyphs for the visible characters of ASCII, by which fonts belong together.
#[derive(Debug, Clone, Default)]
struct Face(BTreeMap<char, Box<[u8]>>);

impl Fonts {
    /// No fonts, with which no screen is read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the glyphs of `font`. Where a screen fits several faces equally well,
    /// the one added first counts.
    pub fn add(&mut self, font: &Font) {
        let glyphs = self.sizes.entry(font.size()).or_default();
        let face = glyphs.face_of(font);
        for (char, bitmap) in font.glyphs() {
            // A blank cell needs no font.
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

    /// Whether there is no font at all.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The sizes of the glyphs, the narrowest first.
    pub fn sizes(&self) -> impl Iterator<Item = CellSize> {
        self.sizes.keys().copied()
    }

    pub(super) fn by_size(&self) -> impl Iterator<Item = (CellSize, &Glyphs)> {
        self.sizes.iter().map(|(size, glyphs)| (*size, glyphs))
    }
}

impl Glyphs {
    /// The face that agrees with the font where both have a character, which is to
    /// happen at least once; a new face if there is none.
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

    /// Every bitmap that `face` has a character for, in no order.
    pub(super) fn of_face(&self, face: FaceId) -> impl Iterator<Item = (&[u8], char)> {
        self.by_bitmap
            .iter()
            .filter_map(move |(bitmap, readings)| Some((&**bitmap, readings.in_face(face)?)))
    }

    /// What another face says of a bitmap that `face` lacks. Not a character that
    /// `face` has another glyph for: that would be a guess.
    pub(super) fn elsewhere(&self, face: FaceId, readings: &Readings) -> Option<char> {
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
    fn agrees(&self, font: &Font) -> bool {
        let mut shared = self.0.iter().filter_map(|(char, bitmap)| {
            let other = font.bitmap(*char)?;
            Some(**bitmap == *other)
        });
        shared.next() == Some(true) && shared.all(|same| same)
    }
}
