//! The flat areas of a screen: connected pixels of one colour, or of one that
//! changes slowly, too large and too solid to be text.

use crate::Image;
use crate::flatten::distance;

/// Neighbours that differ by no more are of one area.
const SAME: u8 = 6;

/// In pixels: a background has rows with such a stretch between or beside its
/// text …
const LONG: usize = 24;

/// … and so many of them; lines that are drawn are thinner.
const LONG_RUNS: usize = 3;

/// In pixels: a letter has fewer …
const SMALL: usize = 500;

/// … or it has fewer than these, and leaves more of the rectangle around it
/// free than one that is drawn behind a word does: 2 of 5.
const LARGE: usize = 4000;

/// Pixels of one colour in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    /// Behind the last pixel.
    pub(crate) end: usize,
    pub(crate) color: [u8; 3],
    /// Part of a flat area.
    pub(crate) is_background: bool,
}

pub(crate) struct Areas {
    runs: Vec<Run>,
    /// Where in `runs` each row ends.
    ends: Vec<usize>,
}

impl Areas {
    /// `None` if less than half of the screen is flat.
    pub(crate) fn find(image: &Image) -> Option<Self> {
        let mut areas = Self::runs(image)?;
        let mut union = Union::new(areas.runs.len());
        areas.connect(&mut union);
        let covered = areas.mark(&mut union);
        (covered * 2 >= image.pixels().len()).then_some(areas)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[Run]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.runs[start..end])
    }

    /// `None` for a picture rather than a screen: runs of three pixels and less.
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

    /// Joins runs that touch and hardly differ.
    fn connect(&self, union: &mut Union) {
        let similar = |a: &Run, b: &Run| distance(a.color, b.color) <= SAME;
        let (mut above, mut start) = (0..0, 0);
        for &end in &self.ends {
            let row = start..end;
            for index in row.clone().skip(1) {
                if similar(&self.runs[index - 1], &self.runs[index]) {
                    union.join(index - 1, index);
                }
            }
            let (mut upper, mut lower) = (above.start, row.start);
            while upper < above.end && lower < row.end {
                let (a, b) = (&self.runs[upper], &self.runs[lower]);
                if similar(a, b) {
                    union.join(upper, lower);
                }
                upper += usize::from(a.end <= b.end);
                lower += usize::from(b.end <= a.end);
            }
            start = end;
            above = row;
        }
    }

    /// Marks what is background, and counts its pixels.
    fn mark(&mut self, union: &mut Union) -> usize {
        let mut shapes = vec![Shape::default(); self.runs.len()];
        let mut index = 0;
        for (y, &end) in self.ends.iter().enumerate() {
            for run in &self.runs[index..end] {
                shapes[union.find(index)].add(y, run);
                index += 1;
            }
        }
        let mut covered = 0;
        for (index, run) in self.runs.iter_mut().enumerate() {
            run.is_background = shapes[union.find(index)].is_background();
            if run.is_background {
                covered += run.end - run.start;
            }
        }
        covered
    }
}

/// What is known of an area.
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
        let around = (self.right - self.left) * (self.bottom - self.top);
        self.long_runs >= LONG_RUNS
            && (self.pixels >= LARGE || self.pixels >= SMALL && self.pixels * 5 >= around * 3)
    }
}

/// Which of many belong together.
struct Union(Vec<usize>);

impl Union {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    /// The one that stands for all that belong to `index`.
    fn find(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        // The first stands for all, so that the picture alone decides.
        self.0[a.max(b)] = a.min(b);
    }
}
