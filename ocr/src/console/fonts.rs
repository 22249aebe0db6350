//! The fonts a screen may be in, looked up by what a cell looks like.

use std::collections::{BTreeMap, HashMap};

use super::font::{CellSize, Font};

/// Console fonts, indexed by the size of their cells and by their glyphs' pixels.
///
/// The same design comes in many files, one for each script. Fonts of one size
/// whose letters, digits and signs of ASCII look the same are one *face*, and a
/// screen is read in the face that most of it is in. In a face, characters that
/// look the same (Latin A, Greek Α, Cyrillic А) are read as the one with the
/// lowest code point, so as ASCII if one of them is.
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

/// What a bitmap stands for, by face.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Vec<(FaceId, char)>);

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
                glyphs.add(face, char, bitmap);
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

    fn add(&mut self, face: FaceId, char: char, bitmap: &[u8]) {
        let readings = match self.by_bitmap.get_mut(bitmap) {
            Some(readings) => readings,
            None => self.by_bitmap.entry(bitmap.into()).or_default(),
        };
        match readings.0.iter_mut().find(|(id, _)| *id == face) {
            Some((_, lowest)) => *lowest = char.min(*lowest),
            None => readings.0.push((face, char)),
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
        let mut chars = readings.0.iter().map(|(_, char)| *char);
        chars.find(|char| !known.contains_key(char))
    }
}

impl Readings {
    pub(super) fn in_face(&self, face: FaceId) -> Option<char> {
        let reading = self.0.iter().find(|(id, _)| *id == face);
        reading.map(|(_, char)| *char)
    }

    pub(super) fn faces(&self) -> impl Iterator<Item = (FaceId, char)> {
        self.0.iter().copied()
    }
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
