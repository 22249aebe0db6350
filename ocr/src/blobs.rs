//! The connected pixels that are drawn on flat areas: letters, parts of them, and icons.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::areas::{Areas, Run};
use crate::color::{Color, distance};
use crate::disjoint_sets::DisjointSets;

/// The number of shades that make a difference between shapes.
const LEVELS: u16 = 8;

/// Connected pixels that are not part of a flat area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) left: usize,
    pub(crate) top: usize,
    /// Exclusive.
    pub(crate) right: usize,
    /// Exclusive.
    pub(crate) bottom: usize,
    /// The area on which it is drawn.
    pub(crate) area: usize,
    /// A hash of its pixels, whatever its colour: equal blobs have equal shapes.
    pub(crate) shape: u64,
    /// The number of its pixels.
    pub(crate) pixels: usize,
    /// Whether it has several colours, as icons have; text is a mixture of one colour and
    /// its background.
    pub(crate) is_colorful: bool,
    /// Whether it has several colours even without shadows.
    pub(crate) is_picture: bool,
}

impl Blob {
    pub(crate) fn width(&self) -> usize {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> usize {
        self.bottom - self.top
    }
}

/// A run that is not background, and its row.
struct Piece<'a> {
    y: usize,
    run: &'a Run,
    /// The background beside it.
    background: Option<&'a Run>,
}

/// A blob, and what is measured of its pixels.
struct Measured {
    blob: Blob,
    hasher: DefaultHasher,
    background: Color,
    /// The colour most distant from the background.
    color: Color,
    /// Those that are not mixtures of both colours.
    other_pixels: usize,
    /// Those of them that are shadows.
    shadow_pixels: usize,
}

/// The blobs of a screen, sorted by their first pixel.
pub(crate) fn find(areas: &Areas) -> Vec<Blob> {
    let pieces = pieces(areas);
    let mut sets = connect(&pieces);
    let mut blobs: Vec<Measured> = Vec::new();
    let mut numbers = vec![usize::MAX; pieces.len()];
    for (index, piece) in pieces.iter().enumerate() {
        let first = sets.find(index);
        if first == index {
            numbers[index] = blobs.len();
            blobs.push(Measured::new(piece));
        }
        numbers[index] = numbers[first];
        blobs[numbers[index]].extend(piece);
    }
    for (piece, &number) in pieces.iter().zip(&numbers) {
        blobs[number].add_pixels(piece);
    }
    blobs.into_iter().map(Measured::finish).collect()
}

impl Measured {
    fn new(piece: &Piece<'_>) -> Self {
        let background = piece.background.unwrap_or(piece.run);
        Self {
            blob: Blob {
                left: piece.run.start,
                top: piece.y,
                right: piece.run.end,
                bottom: piece.y + 1,
                area: background.area,
                shape: 0,
                pixels: 0,
                is_colorful: false,
                is_picture: false,
            },
            hasher: DefaultHasher::new(),
            background: background.color,
            color: background.color,
            other_pixels: 0,
            shadow_pixels: 0,
        }
    }

    fn extend(&mut self, piece: &Piece<'_>) {
        let (blob, run) = (&mut self.blob, piece.run);
        blob.left = blob.left.min(run.start);
        blob.right = blob.right.max(run.end);
        blob.bottom = piece.y + 1;
        if distance(run.color, self.background) > distance(self.color, self.background) {
            self.color = run.color;
        }
    }

    /// The whole blob must be known.
    fn add_pixels(&mut self, piece: &Piece<'_>) {
        let (Blob { left, top, .. }, run) = (&self.blob, piece.run);
        let place = (piece.y - top, run.start - left, run.end - left);
        (place, self.part(run.color) * LEVELS / self.contrast()).hash(&mut self.hasher);
        self.blob.pixels += run.end - run.start;
        if !self.is_mixture(run.color, self.color) {
            self.other_pixels += run.end - run.start;
            if self.is_shadow(run.color) {
                self.shadow_pixels += run.end - run.start;
            }
        }
    }

    /// How far the colour is from the background; at most the contrast.
    fn part(&self, color: Color) -> u16 {
        distance(color, self.background).into()
    }

    fn contrast(&self) -> u16 {
        self.part(self.color).max(1)
    }

    /// Whether the colour is the background's, darkened by less than a half.
    fn is_shadow(&self, color: Color) -> bool {
        const BLACK: Color = [0; 3];
        self.part(color) * 2 < self.part(BLACK) && self.is_mixture(color, BLACK)
    }

    /// Whether the colour is a mixture of the background and `other`.
    fn is_mixture(&self, color: Color, other: Color) -> bool {
        let (part, all) = (self.part(color), self.part(other).max(1));
        let mixture = [0, 1, 2].map(|i: usize| {
            let [from, to] = [self.background[i], other[i]].map(i32::from);
            let mixed = from + (to - from) * i32::from(part) / i32::from(all);
            u8::try_from(mixed).unwrap_or(0)
        });
        u16::from(distance(color, mixture)) * 3 <= self.contrast()
    }

    fn finish(self) -> Blob {
        Blob {
            shape: self.hasher.finish(),
            is_colorful: self.other_pixels * 5 > self.blob.pixels,
            is_picture: (self.other_pixels - self.shadow_pixels) * 5 > self.blob.pixels,
            ..self.blob
        }
    }
}

fn pieces(areas: &Areas) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (y, row) in areas.rows().enumerate() {
        let mut before = None;
        for (index, run) in row.iter().enumerate() {
            if run.is_background {
                before = Some(run);
                continue;
            }
            let background = before.or_else(|| row[index..].iter().find(|run| run.is_background));
            pieces.push(Piece { y, run, background });
        }
    }
    pieces
}

/// Unites the pieces that touch, also at a corner.
fn connect(pieces: &[Piece<'_>]) -> DisjointSets {
    let mut sets = DisjointSets::new(pieces.len());
    let (mut upper, mut first) = (0, 0);
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 && pieces[index - 1].y != piece.y {
            first = index;
        }
        if index > first && pieces[index - 1].run.end == piece.run.start {
            sets.unite(index - 1, index);
        }
        // The first piece of the row above that does not end left of this one.
        while upper < first
            && (pieces[upper].y + 1 < piece.y || pieces[upper].run.end < piece.run.start)
        {
            upper += 1;
        }
        let touching = pieces[upper..first].iter();
        let touching = touching
            .take_while(|above| above.run.start <= piece.run.end)
            .count();
        (upper..upper + touching).for_each(|above| sets.unite(above, index));
    }
    sets
}
