//! Lines of text on a screen: blobs beside each other.

mod read;

pub(crate) use read::read;

use std::collections::BTreeMap;

use crate::blobs::Blob;
use crate::disjoint_sets::DisjointSets;

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
    strips.retain(|strip| !strip.is_icon());
    for dot in dots {
        if let Some(strip) = strips.iter_mut().find(|strip| strip.takes(dot)) {
            strip.add(dot);
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
    overlap * 2 > a.height().min(b.height()) && gap * 2 <= a.height().max(b.height()) * 3
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

    fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// Whether it is a picture, or a few symbols apart from each other, such as the buttons of
    /// a window.
    fn is_icon(&self) -> bool {
        let is_square = self.right - self.left <= 2 * self.height();
        let is_picture = is_square && self.blobs.iter().any(|blob| blob.is_colorful);
        self.blobs.len() <= MAX_SYMBOLS && (is_picture || self.is_spaced())
    }

    /// Whether there are blobs, and no two of them are as close as letters of a word.
    fn is_spaced(&self) -> bool {
        let mut blobs: Vec<&Blob> = self.blobs.iter().collect();
        blobs.sort_by_key(|blob| blob.left);
        let gaps = blobs
            .windows(2)
            .map(|pair| pair[1].left.saturating_sub(pair[0].right));
        blobs.len() > 1 && gaps.min().is_some_and(|gap| gap * 2 > self.height())
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
