//! The text of a grid: Tesseract reads samples, which decide what each glyph is.

use super::cells::Cells;
use super::line::Line;
use super::votes::decide;
use super::{frames, sample, shapes};
use crate::page::Block;
use crate::tesseract::ReadLine;
use crate::{ReadError, Rect, Word};

/// In percent.
const CONFIDENCE: f32 = 95.0;

/// A glyph that Tesseract did not read.
const UNKNOWN: char = '\u{fffd}';

/// Reads the text of the grid: a block with a line for each row. Returns `None` without the
/// engine.
pub(crate) fn read(
    cells: &Cells,
    read_line: &mut ReadLine<'_>,
) -> Result<Option<Vec<Block>>, ReadError> {
    let grid = &cells.grid;
    let drawn: Vec<Option<char>> = cells
        .glyphs
        .iter()
        .map(|mask| frames::read(mask, grid))
        .collect();
    let mut readings = Vec::new();
    for words in sample::lines(cells, |glyph| drawn[glyph].is_none()) {
        let line = Line::new(cells, words);
        let Some(table) = read_line(&line.render(cells))? else {
            return Ok(None);
        };
        readings.extend(line.readings(&table));
    }
    let are_one_letter = |a: usize, b: usize| {
        shapes::differ_by_underline(&cells.glyphs[a], &cells.glyphs[b], grid.cell_width)
    };
    let read = decide(
        cells.glyphs.len(),
        &readings,
        &cells.neighbours(),
        are_one_letter,
    );
    let chars = cells.glyphs.iter().enumerate().map(|(glyph, mask)| {
        let read = read[glyph].map(|char| shapes::correct(char, mask, grid.cell_width));
        drawn[glyph].or(read).unwrap_or(UNKNOWN)
    });
    let chars: Vec<char> = chars.collect();
    let rows = cells.rows().map(|row| row_text(row, &chars));
    let mut rows: Vec<String> = rows.collect();
    remove_cursor(&mut rows);
    let rows = rows.into_iter().enumerate().map(|(number, row)| {
        let words = words(cells, number, &row);
        (row, words)
    });
    Ok(Some(Block::new(rows.collect()).into_iter().collect()))
}

fn row_text(row: &[Option<usize>], chars: &[char]) -> String {
    let char = |cell: &Option<usize>| cell.map_or(' ', |glyph| chars[glyph]);
    let text: String = row.iter().map(char).collect();
    text.trim_end().to_owned()
}

/// Removes a cursor that is a low bar: it looks like an underscore, but only one is apart from
/// other text, at the end of its row.
fn remove_cursor(rows: &mut [String]) {
    let is_apart = |row: &str| row.split_whitespace().filter(|&word| word == "_").count();
    if rows.iter().map(|row| is_apart(row)).sum::<usize>() != 1 {
        return;
    }
    for row in rows {
        if let Some(before) = row.strip_suffix('_')
            && before.chars().next_back().is_none_or(char::is_whitespace)
        {
            *row = before.trim_end().to_owned();
        }
    }
}

/// The words of a row.
fn words(cells: &Cells, number: usize, row: &str) -> Vec<Word> {
    let (grid, (screen_width, screen_height)) = (&cells.grid, cells.screen);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let chars: Vec<char> = row.chars().collect();
    let mut words = Vec::new();
    let mut column = 0;
    for word in chars.split(|char| *char == ' ') {
        if !word.is_empty() {
            let (left, top) = grid.place(column, number);
            let right = (left + word.len() * grid.cell_width).min(screen_width);
            let bottom = (top + grid.cell_height).min(screen_height);
            words.push(Word {
                text: word.iter().collect(),
                rect: Rect {
                    x: narrow(left),
                    y: narrow(top),
                    width: narrow(right - left),
                    height: narrow(bottom - top),
                },
                confidence: CONFIDENCE,
                line: number,
            });
        }
        column += word.len() + 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::remove_cursor;

    fn without_cursor<const N: usize>(rows: [&str; N]) -> Vec<String> {
        let mut rows = rows.map(ToOwned::to_owned);
        remove_cursor(&mut rows);
        rows.to_vec()
    }

    #[test]
    fn a_low_bar_at_the_end_is_a_cursor() {
        assert_eq!(
            without_cursor(["my_name _x", "root:~# _", ""]),
            ["my_name _x", "root:~#", ""]
        );
        assert_eq!(without_cursor(["_"]), [""]);
    }

    #[test]
    fn lone_underscores_are_text() {
        for rows in [
            ["for _ in range(3):", ""],
            ["case _", "_ => end"],
            ["a_", "__"],
        ] {
            assert_eq!(without_cursor(rows), rows);
        }
    }
}
