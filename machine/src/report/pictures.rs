//! Pictures of screens: each once, and not too many.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// How many of the first pictures are kept, and how many of the last.
const MOST: usize = 100;

/// The longest file that is kept, in bytes.
const LONGEST: usize = 4 << 20;

/// How many bytes of files are kept.
const PLENTY: usize = 48 << 20;

/// Pictures by number.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// The files of those that are kept.
    files: Vec<Option<Vec<u8>>>,
    numbers: HashMap<[u8; 32], usize>,
    bytes: usize,
    /// How many count as the first.
    firsts: usize,
    /// The next to go, of the others.
    oldest: usize,
}

impl Pictures {
    /// Keeps the PNG file of a picture, and gives its number.
    pub(super) fn add(&mut self, png: Vec<u8>) -> usize {
        let hash = Sha256::digest(&png).into();
        let known = self.numbers.get(&hash);
        // One that had to go has a place again; one that is too large never has.
        let is_same = |number: &&usize| self.files[**number].is_some() || png.len() > LONGEST;
        if let Some(&number) = known.filter(is_same) {
            return number;
        }
        let number = self.files.len();
        self.numbers.insert(hash, number);
        let file = (png.len() <= LONGEST).then_some(png);
        if self.firsts == number && number < MOST && self.bytes < PLENTY / 2 {
            self.firsts += 1;
            self.oldest += 1;
        }
        self.bytes += file.as_ref().map_or(0, Vec::len);
        self.files.push(file);
        while self.oldest < number && (number - self.oldest >= MOST || self.bytes > PLENTY) {
            self.forget_oldest();
        }
        number
    }

    fn forget_oldest(&mut self) {
        let file = self.files[self.oldest].take();
        self.bytes -= file.map_or(0, |png| png.len());
        self.oldest += 1;
    }

    /// Each as a URL that holds it; nothing for those that were not kept.
    pub(super) fn urls(&self) -> Vec<Option<String>> {
        let url = |png: &Vec<u8>| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
        let files = self.files.iter();
        files.map(|file| file.as_ref().map(url)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_is_kept_once() {
        let mut pictures = Pictures::default();
        let numbers = ["a", "b", "a"].map(|png| pictures.add(png.into()));
        assert_eq!(numbers, [0, 1, 0]);
        let url = "data:image/png;base64,YQ==";
        assert_eq!(pictures.urls()[0].as_deref(), Some(url));
    }

    #[test]
    fn the_first_and_the_last_are_kept() {
        let mut pictures = Pictures::default();
        for number in 0..3 * MOST {
            assert_eq!(pictures.add(number.to_string().into()), number);
        }
        let kept: Vec<bool> = pictures.urls().iter().map(Option::is_some).collect();
        assert_eq!(kept, [[true; MOST], [false; MOST], [true; MOST]].concat());
    }

    #[test]
    fn large_pictures_are_few() {
        let mut pictures = Pictures::default();
        for number in 0..20_u8 {
            pictures.add(vec![number; LONGEST]);
        }
        assert!(pictures.bytes <= PLENTY, "{}", pictures.bytes);
        let number = pictures.add(vec![0; LONGEST + 1]);
        assert_eq!(pictures.urls()[number], None);
        assert_eq!(pictures.add(vec![0; LONGEST + 1]), number);
    }
}
