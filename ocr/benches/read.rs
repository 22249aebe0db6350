//! The time to read a screen with Tesseract. `corpus.rs` compares it with other programs.

use divan::Bencher;
use ocr::{Image, Reader};

const SCREENS: [(&str, &[u8]); 3] = [
    (
        "option-rom",
        include_bytes!("../corpus/firmware/option-rom.png"),
    ),
    ("ipxe", include_bytes!("../corpus/firmware/ipxe.png")),
    ("desktop", include_bytes!("../tests/screens/desktop.png")),
];

fn main() {
    divan::main();
}

/// The best interpretation of a new screen.
#[divan::bench(args = SCREENS.map(|(name, _)| name), sample_count = 10)]
fn text(bencher: Bencher<'_, '_>, name: &str) {
    let reader = Reader::new();
    let [image, other] = [screen(name), other()];
    bencher
        .with_inputs(|| reader.read(&other))
        .bench_values(|_| reader.read(&image).text());
}

/// A screen that has not changed.
#[divan::bench(args = SCREENS.map(|(name, _)| name))]
fn unchanged(bencher: Bencher<'_, '_>, name: &str) {
    let (reader, image) = (Reader::new(), screen(name));
    let _ = reader.read(&image).text();
    bencher.bench(|| reader.read(&image).text());
}

fn screen(name: &str) -> Image {
    let found = SCREENS.iter().find(|(other, _)| *other == name);
    let image = found.map(|(_, png)| Image::from_png(png));
    image.and_then(Result::ok).unwrap_or_else(other)
}

/// A screen without text, which makes the reader forget the previous one.
#[expect(clippy::unwrap_used, reason = "it is a picture")]
fn other() -> Image {
    Image::from_rgb(1, 1, vec![[0; 3]]).unwrap()
}
