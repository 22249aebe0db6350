//! The exact place of a grid's lines, where more than letters shows it.
//!
//! Letters leave space around them in their cells. Backgrounds and frames fill whole cells, so
//! their edges are on the lines.

use std::iter;

use super::grid::Grid;
use crate::areas::Areas;
use crate::blobs::Blob;

/// The number of edges that count as evidence.
const MIN_EDGES: usize = 4;

impl Grid {
    /// Moves the grid by a part of a cell to where most edges are.
    pub(crate) fn align(&mut self, areas: &Areas, blobs: &[Blob]) {
        let inside = || blobs.iter().filter(|blob| self.contains(blob));
        let columns: Vec<_> = inside().map(|blob| (blob.left, blob.right)).collect();
        let rows: Vec<_> = inside().map(|blob| (blob.top, blob.bottom)).collect();
        let vertical = self.vertical_edges(areas, blobs);
        let horizontal = self.horizontal_edges(areas);
        let cell = self.cell_width;
        let by = shift(&vertical, self.left, cell);
        (self.left, self.columns) = moved(self.left, by, &columns, cell);
        if !self.is_one_row {
            let cell = self.cell_height;
            let by = shift(&horizontal, self.top, cell);
            (self.top, self.rows) = moved(self.top, by, &rows, cell);
        }
    }

    /// The left edges of backgrounds that follow others in a row, and the ends of lines.
    fn vertical_edges(&self, areas: &Areas, blobs: &[Blob]) -> Vec<usize> {
        let mut edges = Vec::new();
        for runs in areas.rows().take(self.bottom()).skip(self.top) {
            let pairs = runs.windows(2);
            let pairs = pairs.filter(|pair| pair.iter().all(|run| run.is_background));
            edges.extend(pairs.map(|pair| pair[1].start));
        }
        for blob in blobs.iter().filter(|blob| self.contains(blob)) {
            if blob.height() <= 2 && blob.width() >= 2 * self.cell_width {
                edges.extend([blob.left, blob.right]);
            }
        }
        let is_inside = |&x: &usize| x > self.left && x < self.right();
        edges.retain(is_inside);
        edges
    }

    /// The upper edges of backgrounds that are below others, once for each cell.
    fn horizontal_edges(&self, areas: &Areas) -> Vec<usize> {
        let rows: Vec<_> = areas.rows().collect();
        let mut edges = Vec::new();
        for y in self.top + 1..self.bottom().min(rows.len()) {
            let (above, below) = (rows[y - 1], rows[y]);
            let wide = below.iter().filter(|run| {
                run.is_background
                    && run.start >= self.left.saturating_sub(self.cell_width)
                    && run.start < self.right()
                    && run.end - run.start >= self.cell_width
            });
            for run in wide {
                let middle = usize::midpoint(run.start, run.end);
                let over = above.iter().find(|other| other.end > middle);
                if over.is_some_and(|over| over.is_background && over.area != run.area) {
                    let cells = (run.end - run.start) / self.cell_width;
                    edges.extend(iter::repeat_n(y, cells));
                }
            }
        }
        edges
    }
}

/// How far most edges are from the nearest line of the grid; 0 if they disagree.
fn shift(edges: &[usize], start: usize, cell: usize) -> isize {
    let mut counts = vec![0_usize; cell];
    for edge in edges {
        counts[(edge + cell - start % cell) % cell] += 1;
    }
    let most = (0..cell).max_by_key(|&place| counts[place]).unwrap_or(0);
    if edges.len() < MIN_EDGES || counts[most] * 2 <= edges.len() {
        return 0;
    }
    let most = isize::try_from(most).unwrap_or(0);
    let cell = isize::try_from(cell).unwrap_or(isize::MAX);
    // A line is never further from where the letters show it.
    [most, most - cell]
        .into_iter()
        .find(|shift| shift.abs() * 3 <= cell)
        .unwrap_or(0)
}

/// The start and the number of cells that cover the spans, from `start` moved by `shift`.
fn moved(start: usize, shift: isize, spans: &[(usize, usize)], cell: usize) -> (usize, usize) {
    let first = spans.iter().map(|span| span.0).min().unwrap_or(start);
    let last = spans
        .iter()
        .map(|span| span.1)
        .max()
        .unwrap_or(start + cell);
    let mut start = start.checked_add_signed(shift).unwrap_or(start);
    // Letters may reach into the cell before theirs.
    if first + cell / 4 < start {
        start = start.checked_sub(cell).unwrap_or(start);
    }
    (start, last.saturating_sub(start).div_ceil(cell).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_edges_move_a_grid() {
        assert_eq!(shift(&[12, 22, 52, 52, 35], 10, 10), 2);
        assert_eq!(shift(&[9, 19, 29, 59], 10, 10), -1);
        // They disagree, are too few, or are too far away.
        assert_eq!(shift(&[12, 23, 54, 57, 31], 10, 10), 0);
        assert_eq!(shift(&[12, 22], 10, 10), 0);
        assert_eq!(shift(&[15, 25, 55, 75], 10, 10), 0);
    }

    #[test]
    fn a_moved_grid_covers_its_letters() {
        let letters = [(11, 18), (41, 48)];
        assert_eq!(moved(10, 0, &letters, 10), (10, 4));
        assert_eq!(moved(10, 2, &letters, 10), (12, 4));
        assert_eq!(moved(12, 2, &letters, 10), (4, 5));
        assert_eq!(moved(10, -3, &letters, 10), (7, 5));
        assert_eq!(moved(1, -3, &letters, 10), (1, 5));
    }
}
