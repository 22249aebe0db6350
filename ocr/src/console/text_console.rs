//! A text console that was read.

use regex::Regex;

use super::cell_size::CellSize;
use super::text::Text;
use crate::{Rect, Word};

/// A text console that was read: its text, and the size of its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextConsole {
    text: Text,
    cell: CellSize,
    unknown: usize,
}

impl TextConsole {
    pub(super) fn new(text: Text, cell: CellSize, unknown: usize) -> Self {
        Self {
            text,
            cell,
            unknown,
        }
    }

    /// The number of characters in a row.
    pub fn columns(&self) -> usize {
        self.text.columns()
    }

    /// The rows from the top, each with all its blanks: a character's index is its
    /// column.
    pub fn rows(&self) -> &[String] {
        self.text.rows()
    }

    /// The rows without trailing blanks and trailing empty rows, separated by
    /// newlines.
    pub fn text(&self) -> String {
        self.text.text()
    }

    /// The size of a character's cell.
    pub fn cell(&self) -> CellSize {
        self.cell
    }

    /// The number of cells that could not be read and are `�` in the text.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The words of each row, with the rectangles of their cells.
    pub fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        for (row, text) in self.rows().iter().enumerate() {
            let cells: Vec<(usize, char)> = text.chars().enumerate().collect();
            for word in cells.split(|(_, char)| char.is_whitespace()) {
                if let [(column, _), ..] = word {
                    words.push(Word {
                        text: word.iter().map(|(_, char)| char).collect(),
                        rect: self.area(*column, row, word.len()),
                        confidence: 100.0,
                        line: row,
                    });
                }
            }
        }
        words
    }

    /// The rectangle of each occurrence of `wanted`. An occurrence does not span rows.
    pub fn find(&self, wanted: &str) -> impl Iterator<Item = Rect> {
        let length = wanted.chars().count();
        let found = self.text.find(wanted);
        found.map(move |(column, row)| self.area(column, row, length))
    }

    /// The rectangle of each match of `pattern` that is not empty. A match does not
    /// span rows.
    pub fn find_pattern(&self, pattern: &Regex) -> Vec<Rect> {
        let mut found = Vec::new();
        for (number, row) in self.rows().iter().enumerate() {
            for part in pattern.find_iter(row).filter(|part| !part.is_empty()) {
                let column = row[..part.start()].chars().count();
                found.push(self.area(column, number, part.as_str().chars().count()));
            }
        }
        found
    }

    /// The rectangle of `count` characters from `column`, `row` (counted from 0) on.
    /// It lies outside the picture if the characters do.
    pub fn area(&self, column: usize, row: usize, count: usize) -> Rect {
        let pixels = |cells: usize, each: u32| {
            u32::try_from(cells)
                .unwrap_or(u32::MAX)
                .saturating_mul(each)
        };
        Rect {
            x: pixels(column, self.cell.width),
            y: pixels(row, self.cell.height),
            width: pixels(count, self.cell.width),
            height: self.cell.height,
        }
    }
}
