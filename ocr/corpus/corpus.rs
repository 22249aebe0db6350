//! The corpus: screens of real guests, and the text that is on them.

use std::fs;
use std::path::{Path, PathBuf};

use ocr::{Image, ReadError, Reader};

/// One picture of a guest's screen.
pub(crate) struct Screen {
    pub(crate) name: String,
    pub(crate) image: Image,
    /// The text that a person reads on it, from top to bottom.
    pub(crate) truth: String,
}

/// The classes of screens; each is a directory.
pub(crate) const CLASSES: [&str; 7] = [
    "console", "firmware", "xterm", "terminal", "window", "desktop", "language",
];

/// The screens of a class, sorted by name.
pub(crate) fn screens(class: &str) -> Vec<Screen> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(class);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut pictures: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    pictures.sort();
    pictures.iter().map(|path| screen(path)).collect()
}

fn screen(path: &Path) -> Screen {
    let what = path.display();
    let truth = fs::read_to_string(path.with_extension("txt"));
    Screen {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        image: Image::open(path).unwrap_or_else(|error| panic!("{what}: {error}")),
        truth: truth.unwrap_or_else(|error| panic!("the text of {what}: {error}")),
    }
}

/// Reads a screen like a machine does, but without its VGA's memory.
pub(crate) fn read(reader: &Reader, image: &Image) -> Result<String, ReadError> {
    ocr::Screen::new(image.clone(), None, reader).text()
}

/// The classes with windows and tables, whose parts have no certain order.
const UNORDERED: [&str; 2] = ["desktop", "language"];

/// The number of wrong characters of what was read, and the number of characters of the truth.
pub(crate) fn errors(class: &str, read: &str, truth: &str) -> (usize, usize) {
    let [read, truth] = [read, truth].map(comparable);
    let wrong = if UNORDERED.contains(&class) {
        word_distance(&read, &truth)
    } else {
        strsim::levenshtein(&read, &truth)
    };
    (wrong, truth.chars().count())
}

/// The edit distance between words, each compared with the most similar one of the others.
fn word_distance(read: &str, truth: &str) -> usize {
    let mut read: Vec<&str> = read.split(' ').collect();
    let mut lost: Vec<&str> = truth.split(' ').collect();
    lost.retain(|word| match read.iter().position(|other| other == word) {
        Some(same) => {
            read.swap_remove(same);
            false
        }
        None => true,
    });
    let length = |word: &str| word.chars().count();
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (number, word) in lost.iter().enumerate() {
        let distances = read.iter().map(|other| strsim::levenshtein(word, other));
        pairs.extend(
            distances
                .enumerate()
                .map(|(other, distance)| (distance, number, other)),
        );
    }
    pairs.sort_unstable();
    let (mut lost_lengths, mut read_lengths): (Vec<usize>, Vec<usize>) = (
        lost.iter().map(|word| length(word)).collect(),
        read.iter().map(|word| length(word)).collect(),
    );
    let mut wrong = 0;
    for (distance, word, other) in pairs {
        let longest = lost_lengths[word].max(read_lengths[other]);
        if lost_lengths[word] > 0 && read_lengths[other] > 0 && distance < longest {
            wrong += distance;
            (lost_lengths[word], read_lengths[other]) = (0, 0);
        }
    }
    wrong + lost_lengths.iter().chain(&read_lengths).sum::<usize>()
}

/// The text without what Tesseract does not preserve: the distance between words, and
/// frames drawn with characters.
fn comparable(text: &str) -> String {
    let frame = |c: char| ('\u{2500}'..='\u{259f}').contains(&c);
    let text = text.replace(frame, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
