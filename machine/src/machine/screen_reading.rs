//! What was seen on a screen, for those who are told of it.

use ocr::console::Screen as Console;

use crate::machine::text::Screen;

/// A word: its text; the left, the top, the width and the height of its box in pixels; and
/// how sure one is of it, of 100.
type Word = (String, u32, u32, u32, u32, f32);

/// A screen that was read.
pub(crate) struct Seen {
    pub(crate) png: Vec<u8>,
    pub(crate) text: String,
    /// In JSON.
    pub(crate) words: String,
}

impl Seen {
    /// What was read on a screen just now, so that it is not read again.
    pub(crate) fn on(screen: &Screen) -> Self {
        let mut png = Vec::new();
        // Writing to memory cannot fail; nor has a screen without text failed.
        let _ = screen.image.write_png(&mut png);
        let words = match &screen.console {
            Some(console) => on_console(console),
            None => read(screen),
        };
        Self {
            png,
            text: screen.text().unwrap_or_default(),
            words: serde_json::to_string(&words).unwrap_or_default(),
        }
    }
}

fn read(screen: &Screen) -> Vec<Word> {
    let words = screen.reading().words().unwrap_or_default();
    let words = words.into_iter().map(|word| {
        let place = word.place;
        let (width, height) = (place.width, place.height);
        (word.text, place.x, place.y, width, height, word.confidence)
    });
    words.collect()
}

fn on_console(console: &Console) -> Vec<Word> {
    let mut words = Vec::new();
    for (row, text) in console.rows().iter().enumerate() {
        let cells: Vec<(usize, char)> = text.chars().enumerate().collect();
        for word in cells.split(|(_, c)| c.is_whitespace()) {
            if let [(column, _), ..] = word {
                let place = console.area(*column, row, word.len());
                let text: String = word.iter().map(|(_, c)| c).collect();
                words.push((text, place.x, place.y, place.width, place.height, 100.0));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use ocr::Image;
    use ocr::console::Fonts;

    use super::*;

    #[test]
    fn words_of_a_console_have_their_cells() {
        let corpus = "../ocr/corpus/console/framebuffer-terminus32x16";
        let picture = std::fs::read(format!("{corpus}.png")).unwrap();
        let console = Fonts::host().read(&Image::from_png(&picture).unwrap());
        let words = on_console(&console.unwrap());
        let text = std::fs::read_to_string(format!("{corpus}.txt")).unwrap();
        let read: Vec<&str> = words.iter().map(|(word, ..)| word.as_str()).collect();
        assert_eq!(read, text.split_whitespace().collect::<Vec<_>>());
        for (word, left, top, width, height, _) in &words {
            assert_eq!((left % 16, top % 32, *height), (0, 0, 32), "{word}");
            assert_eq!(*width as usize, 16 * word.chars().count(), "{word}");
        }
    }
}
