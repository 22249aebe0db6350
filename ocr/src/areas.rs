//! The flat areas of a screen: connected pixels of one colour, or of a slowly changing
//! one, too large and too solid to be text.

use crate::Image;
use crate::color::{Color, distance};
use crate::disjoint_sets::DisjointSets;

/// Neighbours whose colours differ by at most this belong to the same area.
const MAX_DIFFERENCE: u8 = 10;

/// In pixels. Backgrounds have rows with such a long run between or beside their
/// text, …
const LONG: usize = 24;

/// … and at least this many of them; drawn lines are thinner.
const MIN_LONG_RUNS: usize = 3;

/// In pixels. A letter has fewer than this, …
const SMALL: usize = 500;

/// … or it has fewer than this and leaves more of its bounding rectangle free (2/5)
/// than a rectangle drawn behind a word does.
const LARGE: usize = 4000;

/// Pixels of one colour in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    /// Exclusive.
    pub(crate) end: usize,
    pub(crate) color: Color,
    /// The number of the connected pixels of similar colours that it is part of.
    pub(crate) area: usize,
    /// Whether they are a flat area.
    pub(crate) is_background: bool,
}

pub(crate) struct Areas {
    runs: Vec<Run>,
    /// The end of each row in `runs`.
    ends: Vec<usize>,
}

impl Areas {
    /// Returns `None` if less than half of the screen is flat.
    pub(crate) fn find(image: &Image) -> Option<Self> {
        let mut areas = Self::runs(image)?;
        let mut sets = DisjointSets::new(areas.runs.len());
        areas.connect(&mut sets);
        let flat_pixels = areas.mark_background(&mut sets);
        (flat_pixels * 2 >= image.pixels().len()).then_some(areas)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[Run]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.runs[start..end])
    }

    /// Returns `None` for a photo-like picture, whose runs have less than three pixels
    /// on average.
    fn runs(image: &Image) -> Option<Self> {
        let (mut runs, mut ends) = (Vec::<Run>::new(), Vec::new());
        for row in image.pixels().chunks_exact(image.width() as usize) {
            let mut start = 0;
            for same in row.chunk_by(|a, b| a == b) {
                let end = start + same.len();
                runs.push(Run {
                    start,
                    end,
                    color: same[0],
                    area: 0,
                    is_background: false,
                });
                start = end;
            }
            if runs.len() * 3 > image.pixels().len() {
                return None;
            }
            ends.push(runs.len());
        }
        Some(Self { runs, ends })
    }

    /// Unites neighbouring runs of similar colours.
    fn connect(&self, sets: &mut DisjointSets) {
        let similar = |a: &Run, b: &Run| distance(a.color, b.color) <= MAX_DIFFERENCE;
        let (mut above, mut start) = (0..0, 0);
        for &end in &self.ends {
            let row = start..end;
            for index in row.clone().skip(1) {
                if similar(&self.runs[index - 1], &self.runs[index]) {
                    sets.unite(index - 1, index);
                }
            }
            let (mut upper, mut lower) = (above.start, row.start);
            while upper < above.end && lower < row.end {
                let (a, b) = (&self.runs[upper], &self.runs[lower]);
                if similar(a, b) {
                    sets.unite(upper, lower);
                }
                upper += usize::from(a.end <= b.end);
                lower += usize::from(b.end <= a.end);
            }
            start = end;
            above = row;
        }
    }

    /// Marks the runs of flat areas and returns their number of pixels.
    fn mark_background(&mut self, sets: &mut DisjointSets) -> usize {
        let mut shapes = vec![Shape::default(); self.runs.len()];
        let mut index = 0;
        for (y, &end) in self.ends.iter().enumerate() {
            for run in &self.runs[index..end] {
                shapes[sets.find(index)].add(y, run);
                index += 1;
            }
        }
        let mut flat_pixels = 0;
        for (index, run) in self.runs.iter_mut().enumerate() {
            run.area = sets.find(index);
            run.is_background = shapes[run.area].is_background();
            if run.is_background {
                flat_pixels += run.end - run.start;
            }
        }
        flat_pixels
    }
}

/// The measurements of an area.
#[derive(Debug, Clone, Default)]
struct Shape {
    pixels: usize,
    long_runs: usize,
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Shape {
    fn add(&mut self, y: usize, run: &Run) {
        if self.pixels == 0 {
            (self.left, self.top) = (run.start, y);
        }
        self.left = self.left.min(run.start);
        self.right = self.right.max(run.end);
        self.bottom = y + 1;
        self.pixels += run.end - run.start;
        self.long_runs += usize::from(run.end - run.start >= LONG);
    }

    fn is_background(&self) -> bool {
        let bounding_rect = (self.right - self.left) * (self.bottom - self.top);
        self.long_runs >= MIN_LONG_RUNS
            && (self.pixels >= LARGE
                || self.pixels >= SMALL && self.pixels * 5 >= bounding_rect * 3)
    }
}
