//! What is fuzzed, and what `tests/replay.rs` replays: what must hold of any input.

#![allow(dead_code, reason = "each target has its own")]

use std::sync::LazyLock;

use ocr::Image;
use ocr::console::{Font, Fonts, vga_screen, vga_text};

/// Any bytes are a picture that survives being written, or are refused.
///
/// # Panics
/// If that is not so.
pub(crate) fn pictures(file: &[u8]) {
    let images = [Image::from_ppm(file), Image::from_png(file)];
    for image in images.into_iter().flatten() {
        let pixels = u64::from(image.width()) * u64::from(image.height());
        assert_eq!(pixels, image.pixels().len() as u64);
        // Small ones only: a little file can be a large picture.
        if pixels < 1 << 16 {
            let mut png = Vec::new();
            image.write_png(&mut png).expect("memory");
            assert_eq!(Image::from_png(&png), Ok(image));
        }
    }
}

/// Any bytes are a font whose glyphs are all there, or are refused.
///
/// # Panics
/// If that is not so.
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

/// A screen that a guest draws: the first three bytes are its width and height in cells
/// of 8×8 pixels, and what is left over; each other byte is a character, or, from 0x80
/// on, some pixels. It is read as a console that fits into it, or not at all.
///
/// # Panics
/// If that is not so.
pub(crate) fn console(input: &[u8]) {
    let [width, height, over, drawn @ ..] = input else {
        return;
    };
    let [columns, rows] = [width, height].map(|cells| usize::from(*cells % 32));
    let [right, below] = [over & 15, over >> 4].map(usize::from);
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
    let header = format!("P6 {width} {height} 255\n");
    let file = [header.as_bytes(), pixels.as_flattened()].concat();
    let Ok(image) = Image::from_ppm(&file) else {
        return assert!(pixels.is_empty());
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
    let text = vga_text(drawn, columns, rows, usize::from(*over));
    assert!(!text.text().contains(|c: char| c.is_control() && c != '\n'));
    let _ = vga_screen(&image, drawn);
}

/// Characters that differ from each other, in 8×8 pixels.
static GLYPHS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let hash = |byte: u64| (byte + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let glyph = |byte: u64| match byte {
        0x20 => [0; 8],
        byte => hash(byte).to_be_bytes(),
    };
    (0..256).flat_map(glyph).collect()
});

/// The first half of them.
static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
    let mut glyphs = GLYPHS.clone();
    glyphs[128 * 8..].fill(0);
    let file = [&[0x36, 0x04, 0, 8][..], &glyphs].concat();
    let mut fonts = Fonts::new();
    fonts.add(&Font::from_psf(&file).expect("a font"));
    fonts
});
