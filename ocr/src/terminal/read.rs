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
    let read = decide(cells.glyphs.len(), &readings, &cells.neighbours());
    let chars = cells.glyphs.iter().enumerate().map(|(glyph, mask)| {
        let read = read[glyph].map(|char| shapes::correct(char, mask, grid.cell_width));
        drawn[glyph].or(read).unwrap_or(UNKNOWN)
    });
    let chars: Vec<char> = chars.collect();
    let rows = cells.rows().enumerate().map(|(number, row)| {
        let row = row_text(row, &chars);
        let words = words(cells, number, &row);
        (row, words)
    });
    Ok(Some(Block::new(rows.collect()).into_iter().collect()))
}

fn row_text(row: &[Option<usize>], chars: &[char]) -> String {
    let char = |cell: &Option<usize>| cell.map_or(' ', |glyph| chars[glyph]);
    let mut text: Vec<char> = row.iter().map(char).collect();
    for index in 0..text.len() {
        let is_blank = |index: Option<usize>| {
            index
                .and_then(|index| text.get(index))
                .is_none_or(|&char| char == ' ')
        };
        // A bar apart from text is the cursor.
        if text[index] == '_' && is_blank(index.checked_sub(1)) && is_blank(Some(index + 1)) {
            text[index] = ' ';
        }
    }
    let text: String = text.into_iter().collect();
    text.trim_end().to_owned()
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
