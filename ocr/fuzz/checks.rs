//! Properties of any input, checked by the fuzz targets and by `tests/replay.rs`.

#![allow(dead_code, reason = "each target uses one of them")]

#[path = "drawing.rs"]
mod drawing;

use std::sync::LazyLock;

use drawing::{Drawing, table};
use ocr::Image;
use ocr::console::{Font, Fonts, vga_screen, vga_text};

/// Any bytes are refused, or are a picture that is the same after writing and reading it.
///
/// # Panics
/// If the property does not hold.
pub(crate) fn pictures(file: &[u8]) {
    let images = [Image::from_ppm(file), Image::from_png(file)];
    for image in images.into_iter().flatten() {
        let pixels = u64::from(image.width()) * u64::from(image.height());
        assert_eq!(pixels, image.pixels().len() as u64);
        // A small file can be a large picture, which takes too long to write.
        if pixels < 1 << 16 {
            let mut png = Vec::new();
            image.write_png(&mut png).expect("memory");
            assert_eq!(Image::from_png(&png), Ok(image));
        }
    }
}

/// Any bytes are refused, or are a font with all glyphs of its characters.
///
/// # Panics
/// If the property does not hold.
pub(crate) fn fonts(file: &[u8]) {
    let Ok(font) = Font::from_psf(file) else {
        return;
    };
    let size = font.size();
    let (right, bottom) = (size.width - 1, size.height - 1);
    assert!(font.chars().is_sorted());
    for char in font.chars() {
        assert!(font.pixel(char, right, bottom).is_some());
    }
    let mut fonts = Fonts::new();
    fonts.add(&font);
    assert!(fonts.sizes().all(|known| known == size));
}

/// A screen that a guest draws is not read, or is read as a console that fits into it. The
/// first three bytes are its width and height in cells of 8×8 pixels, and the remaining
/// pixels; each other byte is a character or, from 0x80 on, an unknown pattern.
///
/// # Panics
/// If the property does not hold.
pub(crate) fn console(input: &[u8]) {
    let [width, height, extra, drawn @ ..] = input else {
        return;
    };
    let [columns, rows] = [width, height].map(|cells| usize::from(*cells % 32));
    let [right, below] = [extra & 15, extra >> 4].map(usize::from);
    let (width, height) = (8 * columns + right, 8 * rows + below);
    let mut pixels = vec![[0_u8; 3]; width * height];
    for (place, &byte) in drawn.iter().enumerate().take(columns * rows) {
        let (left, top) = (place % columns * 8, place / columns * 8);
        for (y, row) in GLYPHS[usize::from(byte) * 8..][..8].iter().enumerate() {
            for x in (0..8).filter(|x| row & (0x80 >> x) != 0) {
                pixels[(top + y) * width + left + x] = [170; 3];
            }
        }
    }
    let is_empty = pixels.is_empty();
    let size = [width, height].map(|side| u32::try_from(side).expect("few cells"));
    let Ok(image) = Image::from_rgb(size[0], size[1], pixels) else {
        return assert!(is_empty);
    };
    if let Some(screen) = FONTS.read(&image) {
        let (cell, rows) = (screen.cell(), screen.rows());
        assert!(screen.columns() * cell.width as usize <= width);
        assert!(rows.len() * cell.height as usize <= height);
        assert!(
            rows.iter()
                .all(|row| row.chars().count() == screen.columns())
        );
        assert!(
            !screen
                .text()
                .contains(|c: char| c.is_control() && c != '\n')
        );
    }
    let text = vga_text(drawn, columns, rows, usize::from(*extra));
    assert!(!text.text().contains(|c: char| c.is_control() && c != '\n'));
    let _ = vga_screen(&image, drawn);
}

/// The text of any drawing is read, and each word is on the screen. The input is a
/// [`Drawing`], and what an engine reads.
///
/// # Panics
/// If the property does not hold.
pub(crate) fn screens(input: &[u8]) {
    let Some((drawing, read)) = Drawing::parse(input) else {
        return;
    };
    let image = drawing.image();
    let mut number = 0;
    let mut engine = |pixels: &[u8], width: usize| {
        number += 1;
        table(read, number, [width, pixels.len() / width])
    };
    let (text, words) = ocr::read_with(&image, &mut engine);
    let mut line = 0;
    for word in words {
        let rect = word.rect;
        assert!(rect.width > 0 && rect.x + rect.width <= image.width());
        assert!(rect.height > 0 && rect.y + rect.height <= image.height());
        assert!(word.line == line || word.line == line + 1);
        line = word.line;
        assert!(!word.text.is_empty() && text.contains(&word.text));
    }
}

/// 256 different glyphs of 8×8 pixels.
static GLYPHS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let hash = |byte: u64| (byte + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let glyph = |byte: u64| match byte {
        0x20 => [0; 8],
        byte => hash(byte).to_be_bytes(),
    };
    (0..256).flat_map(glyph).collect()
});

/// A font of the first 128 glyphs.
static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
    let mut glyphs = GLYPHS.clone();
    glyphs[128 * 8..].fill(0);
    let file = [&[0x36, 0x04, 0, 8][..], &glyphs].concat();
    let mut fonts = Fonts::new();
    fonts.add(&Font::from_psf(&file).expect("a font"));
    fonts
});
