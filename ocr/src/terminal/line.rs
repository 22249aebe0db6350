//! A line of words for Tesseract, and what it reads for them.

use super::cells::Cells;
use super::sample::Token;
use super::votes::Reading;
use crate::grey::{Geometry, Grey};
use crate::{Word, tsv};

/// The height that lines are enlarged to, in pixels, which Tesseract reads best.
const LINE_HEIGHT: usize = 30;

/// In pixels of the screen.
const MARGIN: usize = 6;

/// The number of blank cells between words.
const GAP: usize = 2;

pub(super) struct Line {
    words: Vec<Token>,
    cell_width: usize,
    cell_height: usize,
}

/// Words of a line, and what was read for them.
struct Match {
    /// In pixels from the start of the line.
    start: usize,
    /// Exclusive.
    end: usize,
    reading: Reading,
}

impl Line {
    pub(super) fn new(cells: &Cells, words: Vec<Token>) -> Self {
        Self {
            words,
            cell_width: cells.grid.cell_width,
            cell_height: cells.grid.cell_height,
        }
    }

    /// The number of cells.
    fn len(&self) -> usize {
        let words: usize = self.words.iter().map(|word| word.len() + GAP).sum();
        words.saturating_sub(GAP)
    }

    /// Each word, and its first cell.
    fn places(&self) -> impl Iterator<Item = (usize, &Token)> {
        let mut next = 0;
        self.words.iter().map(move |word| {
            let start = next;
            next += word.len() + GAP;
            (start, word)
        })
    }

    fn scale(&self) -> usize {
        ((LINE_HEIGHT + self.cell_height / 2) / self.cell_height).max(1)
    }

    /// The words, dark on white.
    pub(super) fn render(&self, cells: &Cells) -> Grey {
        let width = self.len() * self.cell_width;
        let mut pixels = vec![u8::MAX; width * self.cell_height];
        for (start, word) in self.places() {
            for (column, &glyph) in (start..).zip(word) {
                for (y, row) in cells.glyphs[glyph]
                    .chunks_exact(self.cell_width)
                    .enumerate()
                {
                    let left = y * width + column * self.cell_width;
                    let pixels = &mut pixels[left..left + self.cell_width];
                    pixels
                        .iter_mut()
                        .zip(row)
                        .for_each(|(pixel, ink)| *pixel = 255 - ink);
                }
            }
        }
        let grey = Grey {
            width,
            height: self.cell_height,
            pixels,
        };
        let scale = self.scale();
        grey.enlarged(scale).framed(MARGIN * scale)
    }

    /// What was read for each word. Tesseract joins and splits words: those that it joins
    /// are one reading.
    pub(super) fn readings(&self, table: &str) -> impl Iterator<Item = Reading> {
        let matches = self.places().map(|(start, word)| Match {
            start: start * self.cell_width,
            end: (start + word.len()) * self.cell_width,
            reading: Reading {
                glyphs: word.clone(),
                chars: Vec::new(),
            },
        });
        let mut matches: Vec<Match> = matches.collect();
        let mut read = tsv::lines(table, &self.geometry()).concat();
        read.sort_by_key(|word| word.rect.x);
        for word in &read {
            self.add(&mut matches, word);
        }
        matches.into_iter().map(|found| found.reading)
    }

    /// Adds a word to what it overlaps by more than half a cell.
    fn add(&self, matches: &mut Vec<Match>, word: &Word) {
        let left = word.rect.x as usize + self.cell_width / 2;
        let right = (word.rect.x + word.rect.width) as usize;
        let overlaps =
            |found: &Match| left < found.end && found.start + self.cell_width / 2 < right;
        let Some(first) = matches.iter().position(overlaps) else {
            return;
        };
        let last = matches.iter().rposition(overlaps).unwrap_or(first);
        for next in matches.drain(first + 1..=last).collect::<Vec<_>>() {
            matches[first].end = next.end;
            matches[first].reading.glyphs.extend(next.reading.glyphs);
            matches[first].reading.chars.extend(next.reading.chars);
        }
        let chars = word.text.chars().map(typewriter);
        matches[first].reading.chars.extend(chars);
    }

    fn geometry(&self) -> Geometry {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let scale = self.scale();
        Geometry {
            width: narrow(self.len() * self.cell_width),
            height: narrow(self.cell_height),
            shrink: 1,
            scale: narrow(scale),
            margin: narrow(MARGIN * scale),
        }
    }
}

/// Terminals show the quotes and hyphens of typewriters.
fn typewriter(char: char) -> char {
    match char {
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        '—' | '–' => '-',
        other => other,
    }
}
