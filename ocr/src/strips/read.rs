//! The words of a strip.

use super::{MAX_SYMBOLS, Strip, digits};
use crate::grey::{Geometry, Grey};
use crate::tesseract::ReadLine;
use crate::{ReadError, Rect, Word, tsv};

/// By how much a strip is enlarged: to this height in pixels, which Tesseract reads best, …
const LINE_HEIGHT: usize = 36;

/// … or, if that is uncertain, by this factor.
const OTHER_SCALE: usize = 2;

/// In pixels of the screen.
const MARGIN: usize = 6;

/// With this confidence in percent, a word is certain.
const CERTAIN: f32 = 90.0;

/// Reads the words of a strip, from left to right; none if it is not text. Returns `None`
/// without the engine.
pub(crate) fn read(
    strip: &Strip,
    flat: &Grey,
    read_line: &mut ReadLine<'_>,
) -> Result<Option<Vec<Word>>, ReadError> {
    let line = strip.cut(flat);
    let scale = ((LINE_HEIGHT + line.height / 2) / line.height).clamp(1, 4);
    let mut best = Vec::new();
    for scale in [scale, OTHER_SCALE] {
        let Some(table) = read_line(&line.enlarged(scale).framed(MARGIN * scale))? else {
            return Ok(None);
        };
        let words = tsv::lines(&table, &geometry(&line, scale)).concat();
        if confidence(&words) > confidence(&best) {
            best = words;
        }
        if !best.is_empty() && best.iter().all(|word| word.confidence >= CERTAIN) {
            break;
        }
    }
    if confidence(&best) < required(&best, strip) {
        return Ok(Some(Vec::new()));
    }
    digits::correct(&mut best, strip, &line);
    let on_screen = |word| strip.on_screen(word);
    Ok(Some(best.into_iter().map(on_screen).collect()))
}

fn geometry(line: &Grey, scale: usize) -> Geometry {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Geometry {
        width: number(line.width),
        height: number(line.height),
        shrink: 1,
        scale: number(scale),
        margin: number(MARGIN * scale),
    }
}

/// The mean confidence of the characters.
#[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
fn confidence(words: &[Word]) -> f32 {
    let sum: f32 = words
        .iter()
        .map(|word| word.confidence * word.text.chars().count() as f32)
        .sum();
    sum / count(words).max(1) as f32
}

fn count(words: &[Word]) -> usize {
    words.iter().map(|word| word.text.chars().count()).sum()
}

/// The confidence from which on this is text: Tesseract takes the few shapes of an icon
/// for a few characters.
fn required(words: &[Word], strip: &Strip) -> f32 {
    match count(words) {
        0..=2 => 90.0,
        _ if strip.blobs.len() > 2 * MAX_SYMBOLS => 25.0,
        _ if strip.blobs.len() > MAX_SYMBOLS => 40.0,
        3..=4 => 75.0,
        _ => 60.0,
    }
}

impl Strip {
    /// The strip alone.
    fn cut(&self, flat: &Grey) -> Grey {
        let (width, height) = (self.right - self.left, self.height());
        let mut pixels = vec![u8::MAX; width * height];
        for blob in &self.blobs {
            for y in blob.top..blob.bottom {
                let from = y * flat.width;
                let to = (y - self.top) * width;
                let row = &flat.pixels[from + blob.left..from + blob.right];
                pixels[to + blob.left - self.left..to + blob.right - self.left]
                    .copy_from_slice(row);
            }
        }
        Grey {
            width,
            height,
            pixels,
        }
    }

    fn on_screen(&self, word: Word) -> Word {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let rect = Rect {
            x: word.rect.x + number(self.left),
            y: word.rect.y + number(self.top),
            ..word.rect
        };
        Word { rect, ..word }
    }
}
