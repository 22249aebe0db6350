//! Digits that Tesseract takes for letters: it prefers words, so it reads the end of `disk1` as an
//! l, and that of `number8` as an s.

use std::collections::HashSet;

use super::Strip;
use crate::Word;
use crate::blobs::Blob;
use crate::disjoint_sets::DisjointSets;
use crate::grey::Grey;

/// Letters as high as an l.
const ASCENDERS: [char; 4] = ['b', 'd', 'h', 'k'];

/// Letters as high as an x.
const LOW: &str = "acemnorsuvwxz";

/// The most by which two pixels of the same shade differ.
const SAME: u8 = 64;

/// A pixel darker than this is part of what is drawn.
const INK: u8 = 128;

/// Corrects letters and digits that have not the height of one: in many fonts, an l is as high as
/// other letters, and a 1 as other digits; an s is low, and an 8 is high. The words are those of
/// `line`, which is the strip alone.
pub(super) fn correct(words: &mut [Word], strip: &Strip, line: &Grey) {
    let letters: Vec<Vec<Letter>> = words.iter().map(|word| letters(word, strip)).collect();
    let all = || letters.iter().flatten();
    let ascender = only_top(all().filter(|letter| ASCENDERS.contains(&letter.char)));
    let digit = only_top(all().filter(|letter| matches!(letter.char, '0' | '2'..='9')));
    let low = all().filter(|letter| LOW.contains(letter.char));
    let low = low.map(|letter| letter.top).max();
    for (word, letters) in words.iter_mut().zip(&letters) {
        if letters.is_empty() {
            continue;
        }
        let corrected = letters.iter().map(|letter| match letter.char {
            'l' if ascender.is_some_and(|top| top < letter.top) && !letter.is_symmetric(line) => {
                '1'
            }
            '1' if ascender == Some(letter.top) && digit.is_some_and(|top| top > letter.top) => 'l',
            's' if low.is_some_and(|top| letter.is_far_above(top)) && letter.holes(line) == 2 => {
                '8'
            }
            other => other,
        });
        word.text = corrected.collect();
    }
}

/// A character and where it is in the strip, in pixels.
struct Letter {
    char: char,
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Letter {
    /// Whether it reaches far above a low letter's top.
    fn is_far_above(&self, top: usize) -> bool {
        let above = top.saturating_sub(self.top);
        above * 6 >= self.bottom - self.top
    }

    /// The number of closed areas within it: two of an 8, none of an s.
    fn holes(&self, line: &Grey) -> usize {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        // With a margin around it, which connects what is outside.
        let (columns, rows) = (width + 2, height + 2);
        let is_ink = |x: usize, y: usize| {
            let is_inside = (1..=width).contains(&x) && (1..=height).contains(&y);
            let at = |x: usize, y: usize| (self.top + y) * line.width + self.left + x;
            is_inside && line.pixels[at(x - 1, y - 1)] < INK
        };
        let mut sets = DisjointSets::new(columns * rows);
        for y in 0..rows {
            for x in 0..columns {
                let this = is_ink(x, y);
                if x > 0 && is_ink(x - 1, y) == this {
                    sets.unite(y * columns + x - 1, y * columns + x);
                }
                if y > 0 && is_ink(x, y - 1) == this {
                    sets.unite((y - 1) * columns + x, y * columns + x);
                }
            }
        }
        let blank = (0..columns * rows).filter(|cell| !is_ink(cell % columns, cell / columns));
        let areas: HashSet<usize> = blank.map(|cell| sets.find(cell)).collect();
        areas.len() - 1
    }

    /// Whether it is its own mirror image, as an I is.
    fn is_symmetric(&self, line: &Grey) -> bool {
        let rows = line.pixels.chunks_exact(line.width);
        let mut rows = rows.skip(self.top).take(self.bottom - self.top);
        rows.all(|row| {
            let row = &row[self.left..self.right];
            row.iter()
                .zip(row.iter().rev())
                .all(|(a, b)| a.abs_diff(*b) <= SAME)
        })
    }
}

/// The characters of a word; none if they can't be assigned to blobs.
fn letters(word: &Word, strip: &Strip) -> Vec<Letter> {
    let (left, right) = (word.rect.x, word.rect.x + word.rect.width);
    let is_in_word = |blob: &&Blob| {
        let middle = usize::midpoint(blob.left, blob.right) - strip.left;
        (left..right).contains(&u32::try_from(middle).unwrap_or(u32::MAX))
    };
    let mut blobs: Vec<&Blob> = strip.blobs.iter().filter(is_in_word).collect();
    blobs.sort_by_key(|blob| blob.left);
    // Parts of a letter are above each other.
    let parts = blobs.chunk_by(|before, blob| blob.left < before.right);
    let places = parts.map(|parts| {
        let left = parts.iter().map(|blob| blob.left).min();
        let right = parts.iter().map(|blob| blob.right).max();
        let top = parts.iter().map(|blob| blob.top).min();
        let bottom = parts.iter().map(|blob| blob.bottom).max();
        Some((left?, right?, top?, bottom?))
    });
    let places: Vec<_> = places.flatten().collect();
    if places.len() != word.text.chars().count() {
        return Vec::new();
    }
    let letters = word.text.chars().zip(places);
    let letters = letters.map(|(char, (left, right, top, bottom))| Letter {
        char,
        left: left - strip.left,
        right: right - strip.left,
        top: top - strip.top,
        bottom: bottom - strip.top,
    });
    letters.collect()
}

/// The top of these letters, if it is the same.
fn only_top<'l>(letters: impl Iterator<Item = &'l Letter>) -> Option<usize> {
    let mut tops = letters.map(|letter| letter.top);
    let first = tops.next()?;
    tops.all(|top| top == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a word that is read as `text` and drawn in these rows, in which spaces
    /// separate the letters.
    fn corrected<const N: usize>(text: &str, rows: [&str; N]) -> String {
        let width = rows[0].len();
        let is_ink = |x: usize, y: usize| rows[y].as_bytes()[x] == b'#';
        let is_blank = |x: &usize| (0..N).all(|y| !is_ink(*x, y));
        let mut blobs = Vec::new();
        let columns: Vec<usize> = (0..width).collect();
        for letter in columns.split(is_blank).filter(|letter| !letter.is_empty()) {
            let rows: Vec<usize> = (0..N)
                .filter(|&y| letter.iter().any(|&x| is_ink(x, y)))
                .collect();
            blobs.push(Blob {
                left: letter[0],
                right: letter[letter.len() - 1] + 1,
                top: rows[0],
                bottom: rows[rows.len() - 1] + 1,
                area: 0,
                shape: 0,
                pixels: 0,
                is_colorful: false,
                is_picture: false,
            });
        }
        let strip = Strip {
            left: 0,
            top: 0,
            right: width,
            bottom: N,
            blobs,
        };
        let pixels = rows.concat();
        let line = Grey {
            width,
            height: N,
            pixels: pixels
                .bytes()
                .map(|it| if it == b'#' { 0 } else { 255 })
                .collect(),
        };
        let [right, bottom] = [width, N].map(|it| u32::try_from(it).unwrap());
        let mut words = [Word::at([0, 0, right, bottom], text)];
        correct(&mut words, &strip, &line);
        words[0].text.clone()
    }

    /// `bl1I2` in a font whose digits and capital letters are lower than its ascenders.
    const ROWS: [&str; 5] = [
        "#...##.............",
        "#....#..##..###.##.",
        "###..#...#...#....#",
        "#.#..#...#...#...#.",
        "###.###.###.###.###",
    ];

    #[test]
    fn digits_and_letters_have_their_heights() {
        assert_eq!(corrected("bllI2", ROWS), "bl1I2");
        assert_eq!(corrected("b11I2", ROWS), "bl1I2");
        assert_eq!(corrected("bl1l2", ROWS), "bl1l2", "an I is no 1");
    }

    #[test]
    fn a_high_letter_with_two_holes_is_an_8() {
        let high = ["....###", "....#.#", "###.###", "#...#.#", "###.###"];
        assert_eq!(corrected("cs", high), "c8");
        let low = ["###....", "#.#....", "###.###", "#.#.#..", "###.###"];
        assert_eq!(corrected("8s", low), "8s");
        let without_holes = ["....###", "....#..", "###.###", "#.....#", "###.###"];
        assert_eq!(corrected("cs", without_holes), "cs");
    }

    #[test]
    fn without_other_letters_nothing_is_known() {
        let alone = ROWS.map(|row| &row[4..11]);
        assert_eq!(corrected("ll", alone), "ll");
        assert_eq!(corrected("1l", alone), "1l");
        assert_eq!(corrected("bll2", ROWS), "bll2", "a letter is missing");
    }
}
