//! Recorded screenshots: each one once, and a limited number.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// The maximum number of first pictures, and that of last pictures.
const MAX_PICTURES: usize = 100;

/// The maximum size of a file, in bytes.
const MAX_FILE: usize = 4 << 20;

/// The maximum size of all files, in bytes.
const MAX_TOTAL: usize = 48 << 20;

/// Pictures by number. The first and the last ones are stored.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// `None` for pictures that are not stored.
    files: Vec<Option<Vec<u8>>>,
    numbers: HashMap<[u8; 32], usize>,
    bytes: usize,
    /// The number of first pictures.
    firsts: usize,
    /// The next picture to remove, after the first ones.
    oldest: usize,
}

impl Pictures {
    /// Adds a PNG file, and returns the picture's number.
    pub(super) fn add(&mut self, png: Vec<u8>) -> usize {
        let hash = Sha256::digest(&png).into();
        let known = self.numbers.get(&hash);
        // A removed picture is stored again; one that is too large never is.
        let has_number = |number: &&usize| self.files[**number].is_some() || png.len() > MAX_FILE;
        if let Some(&number) = known.filter(has_number) {
            return number;
        }
        let number = self.files.len();
        self.numbers.insert(hash, number);
        let file = (png.len() <= MAX_FILE).then_some(png);
        if self.firsts == number && number < MAX_PICTURES && self.bytes < MAX_TOTAL / 2 {
            self.firsts += 1;
            self.oldest += 1;
        }
        self.bytes += file.as_ref().map_or(0, Vec::len);
        self.files.push(file);
        while self.oldest < number
            && (number - self.oldest >= MAX_PICTURES || self.bytes > MAX_TOTAL)
        {
            self.remove_oldest();
        }
        number
    }

    fn remove_oldest(&mut self) {
        let file = self.files[self.oldest].take();
        self.bytes -= file.map_or(0, |png| png.len());
        self.oldest += 1;
    }

    /// Each picture as a `data:` URL; `None` if it is not stored.
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
    fn equal_pictures_have_one_number() {
        let mut pictures = Pictures::default();
        let numbers = ["a", "b", "a"].map(|png| pictures.add(png.into()));
        assert_eq!(numbers, [0, 1, 0]);
        let url = "data:image/png;base64,YQ==";
        assert_eq!(pictures.urls()[0].as_deref(), Some(url));
    }

    #[test]
    fn the_first_and_the_last_are_stored() {
        let mut pictures = Pictures::default();
        for number in 0..3 * MAX_PICTURES {
            assert_eq!(pictures.add(number.to_string().into()), number);
        }
        let stored: Vec<bool> = pictures.urls().iter().map(Option::is_some).collect();
        assert_eq!(
            stored,
            [
                [true; MAX_PICTURES],
                [false; MAX_PICTURES],
                [true; MAX_PICTURES]
            ]
            .concat()
        );
    }

    #[test]
    fn the_total_size_is_limited() {
        let mut pictures = Pictures::default();
        for number in 0..20_u8 {
            pictures.add(vec![number; MAX_FILE]);
        }
        assert!(pictures.bytes <= MAX_TOTAL, "{}", pictures.bytes);
        let number = pictures.add(vec![0; MAX_FILE + 1]);
        assert_eq!(pictures.urls()[number], None);
        assert_eq!(pictures.add(vec![0; MAX_FILE + 1]), number);
    }
}
