//! Any text in any font is read back, and no bytes make a font that does harm.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use ocr::console::{Font, Fonts};
use proptest::prelude::*;
use proptest::sample::Index;

use super::pictures::Canvas;

static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let directory = fs::read_dir("/usr/share/consolefonts").expect("console-setup-linux");
    let files = directory.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension() == Some("gz".as_ref()))
        .collect();
    files.sort();
    files
});

const COLUMNS: usize = 24;

/// Enough text to recognise a console.
const FIRST_ROW: &str = "Nothing else is like it!";

proptest! {
    // Each case draws and reads hundreds of glyphs.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_text_in_every_font_is_read_back(
        file: Index,
        chars in prop::collection::vec(any::<Index>(), 3 * COLUMNS),
        colours in any::<[[u8; 3]; 2]>().prop_filter("two colours", |[a, b]| a != b),
        ninth: bool,
    ) {
        let file = &FILES[file.index(FILES.len())];
        let font = Font::from_psf(&fs::read(file).unwrap()).unwrap();
        let known: Vec<_> = font.chars().collect();
        let chars = chars.iter().map(|index| known[index.index(known.len())]);
        let text: Vec<_> = FIRST_ROW.chars().chain(chars).collect();

        let mut fonts = Fonts::new();
        fonts.add(&font);
        let ninth = ninth && font.size().width == 8;
        let screen = fonts.read(&render(&font, &text, colours, ninth).image());
        let screen = screen.ok_or_else(|| TestCaseError::fail(format!("{} is not read", file.display())))?;
        prop_assert_eq!(screen.unknown(), 0);
        let read = screen.rows().concat();
        let glyphs = Glyphs::of(&font);
        for (&drawn, read) in text.iter().zip(read.chars()) {
            prop_assert!(
                glyphs.is_right(drawn, read),
                "{drawn:?} is read as {read:?} in {}", file.display()
            );
        }
    }
}

proptest! {
    #[test]
    fn garbage_is_not_a_font(file: Vec<u8>) {
        prop_assert!(Font::from_psf(&file).is_err());
        prop_assert!(Font::from_vga_rom(&file).is_empty());
    }

    #[test]
    fn almost_a_font_is_accepted_or_refused(
        magic in prop::sample::select(vec![&b"\x36\x04"[..], b"\x72\xb5\x4a\x86", b"\x1f\x8b\x08\x00"]),
        words in prop::collection::vec(prop_oneof![0..70_u32, any::<u32>()], 0..8),
        rest in prop::collection::vec(any::<u8>(), 0..10_000),
    ) {
        let words: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let _ = Font::from_psf(&[magic, &words, &rest].concat());
    }

    #[test]
    fn a_damaged_font_is_accepted_or_refused(file: Index, cut: Index, damage: Vec<(Index, u8)>) {
        let mut file = fs::read(&FILES[file.index(FILES.len())]).unwrap();
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = Font::from_psf(&file);
        file.truncate(cut.index(file.len()));
        prop_assert!(Font::from_psf(&file).is_err());
    }
}

fn render(font: &Font, text: &[char], [paper, ink]: [[u8; 3]; 2], ninth: bool) -> Canvas {
    let size = font.size();
    let pitch = size.width + u32::from(ninth);
    let index = |x: u32, y: u32| (y / size.height) as usize * COLUMNS + (x / pitch) as usize;
    let columns = u32::try_from(COLUMNS).expect("few");
    let rows = u32::try_from(text.len() / COLUMNS).expect("few");
    Canvas::new(columns * pitch, rows * size.height, |x, y| {
        let char = text[index(x, y)];
        // A VGA repeats the eighth column of characters that may be parts of lines.
        let is_line = ninth && !char.is_ascii() && x % pitch == 8;
        let x = if is_line { 7 } else { x % pitch };
        if font.pixel(char, x, y % size.height) == Some(true) {
            ink
        } else {
            paper
        }
    })
}

/// The glyphs of a font.
struct Glyphs {
    bitmaps: HashMap<char, Vec<bool>>,
    /// The lowest character with this glyph.
    lookalikes: HashMap<Vec<bool>, char>,
}

impl Glyphs {
    fn of(font: &Font) -> Self {
        let bitmaps: HashMap<_, _> = font
            .chars()
            .map(|char| (char, pixels(font, char)))
            .collect();
        let mut lookalikes = HashMap::new();
        for char in font.chars() {
            lookalikes.entry(bitmaps[&char].clone()).or_insert(char);
        }
        Self {
            bitmaps,
            lookalikes,
        }
    }

    /// Whether the reading is right by the documentation of `ocr::console`.
    fn is_right(&self, drawn: char, read: char) -> bool {
        let bitmap = &self.bitmaps[&drawn];
        let inverse: Vec<_> = bitmap.iter().map(|set| !set).collect();
        let is_blank = bitmap.iter().all(|set| *set == bitmap[0]);
        let lookalike = self.lookalikes[bitmap];
        let right = if is_blank || lookalike.is_whitespace() {
            ' '
        } else {
            lookalike
        };

        let halves = ["▀▄", "▌▐"]
            .into_iter()
            .find(|halves| halves.contains(read));
        let mut halves = halves.unwrap_or_default().chars();
        read == right
            || self.lookalikes.get(&inverse) == Some(&read)
            || read == ' ' && "⎽▁‗".contains(right)
            || halves.any(|half| {
                let other = self.bitmaps.get(&half);
                other.is_some_and(|other| other == bitmap || *other == inverse)
            })
    }
}

fn pixels(font: &Font, char: char) -> Vec<bool> {
    let size = font.size();
    let positions = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    positions
        .map_while(|(x, y)| font.pixel(char, x, y))
        .collect()
}
