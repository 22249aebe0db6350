//! Lines of text on a screen: blobs beside each other.

mod decoration;
mod digits;
mod read;

pub(crate) use read::read;

use std::collections::BTreeMap;

use crate::blobs::Blob;
use crate::disjoint_sets::DisjointSets;
use decoration::{is_frame, is_picture, is_square};

/// Lower blobs are dots, accents and hyphens; in pixels.
const MIN_HEIGHT: usize = 3;

/// In pixels.
const MAX_HEIGHT: usize = 80;

/// The number of blobs of which an icon, or a row of symbols, consists.
const MAX_SYMBOLS: usize = 4;

/// Of a blob, and of the space between two; in pixels.
const MAX_WIDTH: usize = 1000;

/// A line of text, or a part of one: a rectangle around blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strip {
    pub(crate) left: usize,
    pub(crate) top: usize,
    /// Exclusive.
    pub(crate) right: usize,
    /// Exclusive.
    pub(crate) bottom: usize,
    pub(crate) blobs: Vec<Blob>,
}

/// The strips of a screen.
pub(crate) fn find(blobs: &[Blob]) -> Vec<Strip> {
    let text = blobs.iter().filter(|blob| may_be_text(blob));
    let text = text.filter(|blob| !is_frame(blob, blobs));
    let (mut letters, dots): (Vec<&Blob>, Vec<&Blob>) =
        text.partition(|blob| blob.height() >= MIN_HEIGHT);
    letters.sort_by_key(|blob| blob.left);
    let mut sets = DisjointSets::new(letters.len());
    for (index, blob) in letters.iter().enumerate() {
        for before in (0..index).rev() {
            if letters[before].left + MAX_WIDTH < blob.left {
                break;
            }
            if are_beside(letters[before], blob) {
                sets.unite(before, index);
            }
        }
    }
    let mut strips: BTreeMap<usize, Strip> = BTreeMap::new();
    for (index, blob) in letters.iter().enumerate() {
        strips
            .entry(sets.find(index))
            .or_insert_with(|| Strip::new(blob))
            .add(blob);
    }
    let mut strips: Vec<Strip> = strips.into_values().collect();
    strips.iter_mut().for_each(Strip::remove_pictures);
    join_marks(&mut strips);
    strips.retain(|strip| !strip.is_icon());
    // Before any is added, which makes strips larger.
    let strip_of = |dot: &Blob| strips.iter().position(|strip| strip.takes(dot));
    let places: Vec<Option<usize>> = dots.iter().map(|dot| strip_of(dot)).collect();
    for (dot, place) in dots.into_iter().zip(places) {
        if let Some(strip) = place {
            strips[strip].add(dot);
        }
    }
    strips
}

/// Whether it is neither a line nor a part of a picture.
fn may_be_text(blob: &Blob) -> bool {
    let (width, height) = (blob.width(), blob.height());
    height <= MAX_HEIGHT && width <= height.max(MIN_HEIGHT) * 12 && height <= width.max(2) * 12
}

/// Whether `b`, which does not begin further left, continues the line of `a`.
fn are_beside(a: &Blob, b: &Blob) -> bool {
    let overlap = a.bottom.min(b.bottom).saturating_sub(a.top.max(b.top));
    let gap = b.left.saturating_sub(a.right);
    let (low, high) = (a.height().min(b.height()), a.height().max(b.height()));
    let is_similar = if is_picture(a) == is_picture(b) {
        high * 2 <= low * 5 + 8
    } else {
        high * 5 <= low * 8
    };
    overlap * 2 > low && gap * 2 <= high * 3 && is_similar
}

/// Adds lone commas, quotes and accents, most of which are above or below the other letters,
/// to their line.
fn join_marks(strips: &mut Vec<Strip>) {
    let (marks, mut lines): (Vec<Strip>, Vec<Strip>) = strips.drain(..).partition(Strip::is_symbol);
    // Before any is added, which makes lines higher.
    let line_of = |mark: &Strip| {
        lines
            .iter()
            .position(|line| mark.height() * 2 <= line.height() && line.takes(&mark.blobs[0]))
    };
    let places: Vec<Option<usize>> = marks.iter().map(line_of).collect();
    for (mark, place) in marks.into_iter().zip(places) {
        match place {
            Some(line) => lines[line].add(&mark.blobs[0]),
            None => strips.push(mark),
        }
    }
    strips.append(&mut lines);
}

impl Strip {
    fn new(blob: &Blob) -> Self {
        Self {
            left: blob.left,
            top: blob.top,
            right: blob.right,
            bottom: blob.bottom,
            blobs: Vec::new(),
        }
    }

    fn add(&mut self, blob: &Blob) {
        self.left = self.left.min(blob.left);
        self.top = self.top.min(blob.top);
        self.right = self.right.max(blob.right);
        self.bottom = self.bottom.max(blob.bottom);
        self.blobs.push(blob.clone());
    }

    fn width(&self) -> usize {
        self.right - self.left
    }

    fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// Whether it is one shape that is about as high as wide.
    pub(crate) fn is_symbol(&self) -> bool {
        self.blobs.len() == 1 && self.width() <= 2 * self.height()
    }

    /// Whether it is a picture, or a few symbols apart from each other, such as the buttons of
    /// a window.
    fn is_icon(&self) -> bool {
        let is_square = self.width() <= 2 * self.height();
        let is_picture = is_square && self.blobs.iter().any(|blob| blob.is_colorful);
        self.blobs.len() <= MAX_SYMBOLS && (is_picture || self.is_spaced() || self.has_buttons())
    }

    /// Whether all blobs are squares of one size, not as close as letters.
    fn has_buttons(&self) -> bool {
        let first = &self.blobs[0];
        let is_equal = |blob: &Blob| {
            is_square(blob)
                && blob.width().abs_diff(first.width()) <= 1
                && blob.height().abs_diff(first.height()) <= 1
        };
        self.blobs.len() > 1
            && self.blobs.iter().all(is_equal)
            && self.least_gap() * 4 >= self.height()
    }

    /// The least distance between blobs that follow each other.
    fn least_gap(&self) -> usize {
        let mut blobs: Vec<&Blob> = self.blobs.iter().collect();
        blobs.sort_by_key(|blob| blob.left);
        let gaps = blobs
            .windows(2)
            .map(|pair| pair[1].left.saturating_sub(pair[0].right));
        gaps.min().unwrap_or(0)
    }

    /// Whether there are blobs, and no two of them are as close as letters of a word.
    fn is_spaced(&self) -> bool {
        let mut blobs = self.blobs.iter();
        let are_narrow = blobs.all(|blob| blob.width() <= 2 * blob.height());
        self.blobs.len() > 1 && are_narrow && self.least_gap() * 2 > self.height()
    }

    /// Removes the icons beside text, which are higher.
    fn remove_pictures(&mut self) {
        let letters = self.blobs.iter().filter(|blob| !is_square(blob));
        let Some(text) = Self::around(letters) else {
            return;
        };
        let is_icon = |blob: &&Blob| {
            let (high, low) = (blob.height(), text.height());
            is_picture(blob) && high * 4 > low * 5 || is_square(blob) && high * 5 > low * 8
        };
        let others = self.blobs.iter().filter(|blob| !is_icon(blob));
        if let Some(others) = Self::around(others) {
            *self = others;
        }
    }

    /// The strip of these blobs, if there are any.
    fn around<'b>(blobs: impl Iterator<Item = &'b Blob>) -> Option<Self> {
        let mut strip: Option<Self> = None;
        for blob in blobs {
            strip.get_or_insert_with(|| Self::new(blob)).add(blob);
        }
        strip
    }

    /// Whether the dot, accent or hyphen belongs to this line.
    fn takes(&self, dot: &Blob) -> bool {
        let height = self.height();
        dot.top + height / 2 >= self.top
            && dot.bottom <= self.bottom + height / 2
            && dot.left + height >= self.left
            && dot.right <= self.right + height
    }
}
