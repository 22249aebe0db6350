//! Lines and blocks that programs draw with characters.

use super::cells::Mask;
use super::grid::Grid;

/// The box-drawing characters with lines to the left, right, up and down; the index has
/// one bit for each.
const LINES: [char; 16] = [
    ' ', '╴', '╶', '─', '╵', '┘', '└', '┴', '╷', '┐', '┌', '┬', '│', '┤', '├', '┼',
];

/// From here on, a pixel is part of what is drawn.
const INK: u8 = 100;

/// Half of the thickness of double lines, in pixels.
const THICKNESS: usize = 2;

/// The character, if what is drawn is a part of a frame, or an underscore. A space stands
/// for blocks, which look like a coloured background.
pub(super) fn read(mask: &Mask, grid: &Grid) -> Option<char> {
    // Where the sides of cells are unknown, nothing reaches them.
    if grid.is_one_row {
        return None;
    }
    let cell = Cell {
        mask,
        width: grid.cell_width,
        height: grid.cell_height,
    };
    if cell.is_split() {
        Some(' ')
    } else if cell.is_low_line() {
        Some('_')
    } else {
        cell.lines().map(|lines| LINES[lines])
    }
}

struct Cell<'m> {
    mask: &'m Mask,
    width: usize,
    height: usize,
}

impl Cell<'_> {
    fn has_ink(&self, x: usize, y: usize) -> bool {
        self.mask[y * self.width + x] >= INK
    }

    /// The number of pixels that are drawn in each column.
    fn columns(&self) -> Vec<usize> {
        let count = |x| (0..self.height).filter(|&y| self.has_ink(x, y)).count();
        (0..self.width).map(count).collect()
    }

    /// The number of pixels that are drawn in each row.
    fn rows(&self) -> Vec<usize> {
        let count = |y| (0..self.width).filter(|&x| self.has_ink(x, y)).count();
        (0..self.height).map(count).collect()
    }

    /// Whether whole columns or many whole rows are drawn, from one side on.
    fn is_split(&self) -> bool {
        let whole = |counts: &[usize], full: usize, least: usize| {
            let drawn = counts.iter().filter(|&&count| count == full).count();
            let is_at_side = [counts.first(), counts.last()].contains(&Some(&full));
            is_at_side && drawn >= least && counts.iter().all(|&count| count == 0 || count == full)
        };
        whole(&self.columns(), self.height, 1)
            || whole(&self.rows(), self.width, self.height / 4 + 1)
    }

    /// Whether a thin bar below the letters is drawn.
    fn is_low_line(&self) -> bool {
        let rows = self.rows();
        let (above, below) = rows.split_at(self.height * 2 / 3);
        let drawn = below.iter().filter(|&&count| count > 0).count();
        above.iter().all(|&count| count == 0)
            && (1..=self.height.div_ceil(6)).contains(&drawn)
            && below
                .iter()
                .all(|&count| count == 0 || count + 1 >= self.width)
    }

    /// The bits of the index in `LINES`, if there are lines from sides to the middle, and
    /// nothing else.
    fn lines(&self) -> Option<usize> {
        let column = |x| {
            middle(
                (0..self.height).filter(|&y| self.has_ink(x, y)),
                self.height,
            )
        };
        let row = |y| middle((0..self.width).filter(|&x| self.has_ink(x, y)), self.width);
        let (left, right) = (column(0), column(self.width - 1));
        let (up, down) = (row(0), row(self.height - 1));
        let sides = [left, right, up, down];
        let bits = (0..4).filter(|&side| sides[side].is_some());
        let (x, y) = (up.or(down), left.or(right));
        let (middle_x, middle_y) = (x.unwrap_or(self.width / 2), y.unwrap_or(self.height / 2));
        let lines = [
            (left.is_some(), (0..=middle_x, middle_y..=middle_y)),
            (
                right.is_some(),
                (middle_x..=self.width - 1, middle_y..=middle_y),
            ),
            (up.is_some(), (middle_x..=middle_x, 0..=middle_y)),
            (
                down.is_some(),
                (middle_x..=middle_x, middle_y..=self.height - 1),
            ),
        ];
        let are_whole = lines.into_iter().all(|(is_there, (columns, rows))| {
            let mut places = columns.flat_map(|x| rows.clone().map(move |y| (x, y)));
            !is_there || places.all(|(x, y)| self.has_ink_near(x, y))
        });
        let is_on = |line: Option<usize>, at: usize| {
            line.is_some_and(|line| at.abs_diff(line) <= THICKNESS)
        };
        let mut pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let are_all = pixels.all(|(px, py)| !self.has_ink(px, py) || is_on(x, px) || is_on(y, py));
        let count = sides.iter().flatten().count();
        (count > 1 && are_whole && are_all).then(|| bits.map(|side| 1 << side).sum())
    }

    /// Between double lines, there is a gap.
    fn has_ink_near(&self, x: usize, y: usize) -> bool {
        let near = |at: usize, size: usize| at.saturating_sub(1)..size.min(at + 2);
        near(x, self.width).any(|x| near(y, self.height).any(|y| self.has_ink(x, y)))
    }
}

/// The middle of a line that reaches a side of this size, if that is about the middle of the
/// side.
fn middle(mut places: impl Iterator<Item = usize>, size: usize) -> Option<usize> {
    let first = places.next()?;
    let last = places.last().unwrap_or(first);
    let middle = usize::midpoint(first, last);
    let is_thin = last - first <= 2 * THICKNESS;
    (is_thin && middle * 4 >= size && middle * 4 <= size * 3).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_rows<const N: usize>(rows: [&str; N]) -> Option<char> {
        let grid = Grid {
            left: 0,
            top: 0,
            cell_width: rows[0].len(),
            cell_height: N,
            columns: 1,
            rows: 1,
            is_one_row: false,
        };
        let drawn = rows.concat();
        let mask = drawn.bytes().map(|byte| if byte == b'#' { 255 } else { 0 });
        read(&mask.collect(), &grid)
    }

    #[test]
    fn lines_from_sides_are_frames() {
        let (none, line) = ("......", "######");
        assert_eq!(
            read_rows([none, none, none, none, line, none, none, none, none]),
            Some('─')
        );
        assert_eq!(read_rows(["..#..."; 9]), Some('│'));
        let (up, right) = ("..#...", "..####");
        assert_eq!(
            read_rows([up, up, up, up, right, none, none, none, none]),
            Some('└')
        );
        assert_eq!(
            read_rows([none, none, none, line, none, line, none, none, none]),
            Some('─')
        );
    }

    #[test]
    fn bars_are_underscores_or_backgrounds() {
        let (none, line) = ("......", "######");
        assert_eq!(
            read_rows([none, none, none, none, none, none, none, line, none]),
            Some('_')
        );
        assert_eq!(read_rows(["..####"; 9]), Some(' '));
        assert_eq!(
            read_rows([none, none, none, none, line, line, line, line, line]),
            Some(' ')
        );
    }

    #[test]
    fn letters_are_not_frames() {
        let (none, dot, bar) = ("......", "..#...", ".####.");
        assert_eq!(
            read_rows([none, dot, none, dot, dot, dot, bar, none, none]),
            None
        );
        assert_eq!(
            read_rows([none, none, none, none, bar, none, none, none, none]),
            None
        );
        assert_eq!(
            read_rows([none, dot, dot, bar, dot, dot, none, none, none]),
            None
        );
    }
}
