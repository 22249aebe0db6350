//! The corpus: screens of real guests, and the text that is on them.

use std::fs;
use std::path::{Path, PathBuf};

use ocr::console::Fonts;
use ocr::{Image, ReadError, Reader};

/// One picture of a guest's screen.
pub(crate) struct Screen {
    pub(crate) name: String,
    pub(crate) image: Image,
    /// What a person reads on it, top to bottom.
    pub(crate) truth: String,
}

/// The kinds of screens, each a directory.
pub(crate) const CLASSES: [&str; 4] = ["console", "firmware", "xterm", "window"];

/// The screens of a class, by name.
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
    let png = fs::read(path).unwrap_or_else(|error| panic!("{what}: {error}"));
    let truth = fs::read_to_string(path.with_extension("txt"));
    Screen {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        image: Image::from_png(&png).unwrap_or_else(|error| panic!("{what}: {error}")),
        truth: truth.unwrap_or_else(|error| panic!("{what} has no text: {error}")),
    }
}

/// Reads a screen as a machine does: by its glyphs if it is a console, by
/// Tesseract otherwise.
pub(crate) fn read(reader: &Reader, image: &Image) -> Result<String, ReadError> {
    match Fonts::host().read(image) {
        Some(console) => Ok(console.text()),
        None => reader.read(image).text(),
    }
}

/// How many characters must be changed, added or left out to make what was read
/// of what is there, and how many are there.
pub(crate) fn errors(read: &str, truth: &str) -> (usize, usize) {
    let [read, truth] = [read, truth].map(comparable);
    (strsim::levenshtein(&read, &truth), truth.chars().count())
}

/// The text without what Tesseract does not promise to keep, ours or another's:
/// how far words are apart, and frames drawn of characters.
fn comparable(text: &str) -> String {
    let frame = |c: char| ('\u{2500}'..='\u{259f}').contains(&c);
    let text = text.replace(frame, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
