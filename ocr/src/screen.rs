//! A screen, and the choice of how to read it.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::console::{Fonts, TextConsole, vga_screen};
use crate::{Image, Progress, ReadError, Reader, Reading, Rect, Search, Word};

/// A screen that can be read: exactly if it is a text console, by Tesseract otherwise.
///
/// Clones are cheap and share what was read. Except for [`image`](Self::image) and
/// [`console`](Self::console), the methods may block while Tesseract reads, some hundred
/// milliseconds per pass: in async code, call them where blocking is allowed.
///
/// Without the feature `tesseract`, only text consoles can be read; of any other screen
/// the methods return [`ReadError::TesseractDisabled`].
#[derive(Debug, Clone)]
pub struct Screen {
    image: Image,
    console: Option<Arc<TextConsole>>,
    reader: Reader,
}

/// The texts that a screen may show, and why some of them could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interpretations {
    /// The exact text of a text console first, then Tesseract's.
    pub texts: Vec<String>,
    /// The last failure of Tesseract.
    pub failure: Option<ReadError>,
}

impl Screen {
    /// Reads the screen if it is a text console, in milliseconds: from the text memory of
    /// a VGA (see [`console::VGA_TEXT_MEMORY`](crate::console::VGA_TEXT_MEMORY)), or by
    /// the glyphs of the host's [fonts](Fonts::host). The memory contains code page 437;
    /// if the glyphs show other letters, the guest has loaded a font of its own, and the
    /// glyphs are right. `reader` reads everything else, when needed.
    ///
    /// The first call in the process loads the host's fonts, which takes some 60 ms.
    pub fn new(image: Image, vga_memory: Option<&[u8]>, reader: &Reader) -> Self {
        let in_memory = vga_memory.and_then(|memory| vga_screen(&image, memory));
        let console = match (in_memory, Fonts::host().read(&image)) {
            (Some(memory), Some(glyphs))
                if glyphs.unknown() == 0 && !have_same_letters(&memory, &glyphs) =>
            {
                Some(glyphs)
            }
            (memory, glyphs) => memory.or(glyphs),
        };
        Self {
            image,
            console: console.map(Arc::new),
            reader: reader.clone(),
        }
    }

    /// The picture.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The text console, if the screen is one.
    pub fn console(&self) -> Option<&TextConsole> {
        self.console.as_deref()
    }

    /// The text: that of a text console, or Tesseract's best interpretation. Empty if
    /// there is none.
    pub fn text(&self) -> Result<String, ReadError> {
        match &self.console {
            Some(console) => Ok(console.text()),
            None => self.reading().text(),
        }
    }

    /// The words of [`text`](Self::text) and their places, line by line.
    pub fn words(&self) -> Result<Vec<Word>, ReadError> {
        match &self.console {
            Some(console) => Ok(console.words()),
            None => self.reading().words(),
        }
    }

    /// The place of each match of `pattern`; empty if there is none. A match does not
    /// span lines.
    ///
    /// On a text console, a match's rectangle contains its characters; elsewhere, the
    /// words that it overlaps (see [`Reading::find_text`]).
    pub fn find(&self, pattern: &Regex) -> Result<Vec<Rect>, ReadError> {
        match &self.console {
            Some(console) => Ok(console.find_pattern(pattern)),
            None => self.reading().find_text(pattern),
        }
    }

    /// All interpretations: the exact text of a text console, and all of Tesseract's.
    pub fn interpretations(&self) -> Interpretations {
        let mut texts: Vec<String> = self.console.iter().map(|console| console.text()).collect();
        let mut failure = None;
        for variant in self.reading().variants() {
            match variant {
                Ok(variant) => texts.push(variant.text),
                // Nothing is missing.
                Err(ReadError::TesseractDisabled) if self.is_exact() => {}
                Err(error) => failure = Some(error),
            }
        }
        Interpretations { texts, failure }
    }

    /// Whether `matches` returns true for an interpretation of the text. The first such
    /// interpretation ends the work; a text console that was read completely has no
    /// other. Tesseract's are tried in three forms: with lines split at wide gaps, with
    /// whole lines, and with all words at the same height in one line.
    ///
    /// Fails only if nothing could be read.
    pub fn matches(&self, matches: impl Fn(&str) -> bool) -> Result<bool, ReadError> {
        let mut search = self.search();
        loop {
            match search.advance(Duration::MAX, &matches)? {
                Progress::Found => return Ok(true),
                Progress::NotFound => return Ok(false),
                Progress::Reading => {}
            }
        }
    }

    /// Begins to search as [`matches`](Self::matches) does, but in steps; does not block.
    pub fn search(&self) -> Search {
        let console = self.console.as_ref().map(|console| console.text());
        let reading = (!self.is_exact()).then(|| self.reading());
        Search::new(console, reading)
    }

    /// Whether the screen is a text console without unknown characters.
    fn is_exact(&self) -> bool {
        let console = self.console.as_ref();
        console.is_some_and(|console| console.unknown() == 0)
    }

    /// Starts Tesseract.
    fn reading(&self) -> Reading {
        self.reader.read(&self.image)
    }
}

impl Interpretations {
    /// The texts. Fails only if there is none because of a failure.
    pub fn into_texts(self) -> Result<Vec<String>, ReadError> {
        match self.failure {
            Some(failure) if self.texts.is_empty() => Err(failure),
            _ => Ok(self.texts),
        }
    }
}

/// Whether two readings have the same letters and digits. Blocks look like lines, and a
/// cursor looks like an underscore.
fn have_same_letters(one: &TextConsole, other: &TextConsole) -> bool {
    let [one, other] = [one, other].map(|console| console.rows().concat());
    let mut pairs = one.chars().zip(other.chars());
    pairs.all(|(a, b)| a == b || !(a.is_alphanumeric() || b.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

    fn image(name: &str) -> Image {
        Image::open(format!("{CORPUS}/{name}.png")).unwrap()
    }

    fn text(name: &str) -> String {
        std::fs::read_to_string(format!("{CORPUS}/{name}.txt")).unwrap()
    }

    fn screen(name: &str) -> Screen {
        Screen::new(image(name), None, &Reader::new())
    }

    #[test]
    fn screens_can_move_to_other_threads() {
        fn check<T: Send + Sync + Clone + 'static>() {}
        check::<Screen>();
    }

    /// A console of 1024×768 pixels in a font of 16×32, cut within a row of characters.
    #[test]
    fn matches_have_the_cells_of_their_characters() {
        const NAME: &str = "console/framebuffer-terminus32x16";
        let pixels = image(NAME).pixels()[..1024 * 600].to_vec();
        let image = Image::from_rgb(1024, 600, pixels).unwrap();
        let screen = Screen::new(image, None, &Reader::new());

        let text = text(NAME);
        let row = text.lines().nth(17).unwrap();
        let places = screen.find(&Regex::new(&regex::escape(row)).unwrap());
        let place = places.unwrap().into_iter().next_back().unwrap();
        let width = u32::try_from(16 * row.chars().count()).unwrap();
        assert_eq!(
            (place.x, place.y, place.width, place.height),
            (0, 17 * 32, width, 32)
        );
    }

    #[test]
    fn words_of_a_console_have_their_cells() {
        const NAME: &str = "console/framebuffer-terminus32x16";
        let words = screen(NAME).words().unwrap();
        let text = text(NAME);
        let read: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(read, text.split_whitespace().collect::<Vec<_>>());
        for word in &words {
            let Rect {
                x,
                y,
                width,
                height,
            } = word.rect;
            assert_eq!((x % 16, y % 32, height), (0, 0, 32), "{word:?}");
            assert_eq!(width as usize, 16 * word.text.chars().count(), "{word:?}");
            assert_eq!(word.line * 32, y as usize, "{word:?}");
        }
    }

    #[test]
    fn a_console_is_exact() {
        const NAME: &str = "console/text-shell";
        let screen = screen(NAME);
        let expected = text(NAME).trim_end().to_owned();
        assert_eq!(screen.text().as_ref(), Ok(&expected));
        let row = expected.lines().next().unwrap();
        assert_eq!(screen.matches(|text| text.contains(row)), Ok(true));
        assert_eq!(screen.matches(|_| false), Ok(false));
        let all = screen.interpretations();
        assert_eq!((all.failure.clone(), &all.texts[0]), (None, &expected));
        assert_eq!(all.into_texts().unwrap()[0], expected);
    }

    #[test]
    fn glyphs_correct_letters_that_a_loaded_font_has_changed() {
        const NAME: &str = "console/text-shell";
        let image = image(NAME);
        let console = screen(NAME).console().unwrap().clone();
        let memory = |other: char| -> Vec<u8> {
            let chars = console.rows().concat();
            let chars = chars.chars().map(|c| if c == 'e' { other } else { c });
            chars.flat_map(|c| [u8::try_from(c).unwrap(), 7]).collect()
        };
        for other in ['e', 'a'] {
            let screen = Screen::new(image.clone(), Some(&memory(other)), &Reader::new());
            assert_eq!(screen.text().unwrap(), console.text());
        }
    }

    #[cfg(feature = "tesseract")]
    #[test]
    fn tesseract_reads_what_is_not_a_console() {
        let screen = screen("xterm/large-dark");
        assert_eq!(screen.console(), None);
        let text = screen.text().unwrap();
        assert_eq!(screen.matches(|other| other == text), Ok(true));
        let words = screen.words().unwrap();
        let pattern = Regex::new(&regex::escape(&words[0].text)).unwrap();
        assert!(screen.find(&pattern).unwrap().contains(&words[0].rect));
        let all = screen.interpretations();
        assert!(
            all.texts.contains(&text) && all.failure.is_none(),
            "{all:?}"
        );
    }

    #[cfg(not(feature = "tesseract"))]
    #[test]
    fn without_tesseract_other_screens_give_an_error() {
        let screen = screen("xterm/large-dark");
        let error = ReadError::TesseractDisabled;
        assert_eq!(screen.text(), Err(error.clone()));
        assert_eq!(screen.words(), Err(error.clone()));
        assert_eq!(screen.matches(|_| true), Err(error.clone()));
        let pattern = Regex::new("x").unwrap();
        assert_eq!(screen.find(&pattern), Err(error.clone()));
        let all = screen.interpretations();
        assert_eq!((all.texts.len(), &all.failure), (0, &Some(error.clone())));
        assert_eq!(all.into_texts(), Err(error));
    }
}
