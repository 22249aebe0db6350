//! What was seen on a screen, for those who are told of it.

use ocr::Image;

use super::text::{Rows, Screen};

/// A word: its text; the left, the top, the width and the height of its box in pixels; and
/// how sure one is of it, of 100.
type Word = (String, u32, u32, u32, u32, f32);

/// A screen that was read.
pub(super) struct Seen {
    pub(super) png: Vec<u8>,
    pub(super) text: String,
    /// In JSON.
    pub(super) words: String,
}

impl Seen {
    /// What was read on a screen just now, so that it is not read again.
    pub(super) fn on(screen: &Screen) -> Self {
        let mut png = Vec::new();
        // Writing to memory cannot fail; nor has a screen without text failed.
        let _ = screen.image.write_png(&mut png);
        let words = match &screen.console {
            Some(rows) => on_console(&screen.image, rows),
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

/// The words of a console, whose cells are of one size.
fn on_console(image: &Image, rows: &Rows) -> Vec<Word> {
    let columns = rows.first().map_or(1, |row| row.chars().count().max(1));
    let cell = |pixels: u32, cells: usize| pixels / u32::try_from(cells).unwrap_or(1).max(1);
    let width = cell(image.width(), columns);
    let height = cell(image.height(), rows.len());
    let mut words = Vec::new();
    for (row, top) in rows.iter().zip((0..).step_by(height.max(1) as usize)) {
        let cells: Vec<(u32, char)> = (0..).zip(row.chars()).collect();
        for word in cells.split(|(_, c)| c.is_whitespace()) {
            if let [(column, _), ..] = word {
                let text: String = word.iter().map(|(_, c)| c).collect();
                let length = u32::try_from(word.len()).unwrap_or(0);
                words.push((text, column * width, top, length * width, height, 100.0));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_console_have_their_cells() {
        let ppm = [&b"P6 80 32 255\n"[..], &[0; 80 * 32 * 3]].concat();
        let image = Image::from_ppm(&ppm).unwrap();
        let rows = vec!["ab  c     ".to_owned(), "          ".to_owned()];
        assert_eq!(
            on_console(&image, &rows),
            [
                ("ab".to_owned(), 0, 0, 16, 16, 100.0),
                ("c".to_owned(), 32, 0, 8, 16, 100.0)
            ]
        );
    }
}
