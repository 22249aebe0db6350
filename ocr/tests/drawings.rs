//! Any drawing is read without a panic, with whatever an engine reads: properties of finding
//! and reading lines and terminals, checked without Tesseract.

#[path = "../fuzz/checks.rs"]
mod checks;

use ocr::{Image, Word, read_with};
use proptest::prelude::*;

/// An input of the fuzz target `screens`: a size, operations, and what an engine reads.
fn drawing() -> impl Strategy<Value = Vec<u8>> {
    let operations = prop::collection::vec(any::<[u8; 8]>(), 0..8);
    let read = prop::collection::vec(any::<u8>(), 0..200);
    (any::<[u8; 2]>(), operations, read).prop_map(|([width, height], mut operations, read)| {
        // Without a flat background, there are no lines and terminals.
        if let Some([kind, left, top, right, bottom, ..]) = operations.first_mut() {
            (*kind, *left, *top, *right, *bottom) = (0, 0, 0, 255, 255);
        }
        let count = u8::try_from(operations.len()).expect("few");
        [&[width, height, count], operations.as_flattened(), &read].concat()
    })
}

/// The words of a screen if an engine reads nothing.
fn words(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<Word> {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels = pixels.map(|(x, y)| pixel(x, y)).collect();
    let image = Image::from_rgb(width, height, pixels).expect("a picture");
    read_with(&image, &mut |_, _| String::new()).1
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_drawing_is_read(input in drawing()) {
        checks::screens(&input);
    }
}

#[test]
fn adversarial_screens_are_read() {
    let noise = |x: u32, y: u32| {
        let [a, b, ..] = (x * 7919 + y * 104_729)
            .wrapping_mul(2_654_435_761)
            .to_be_bytes();
        [a ^ b; 3]
    };
    let white = [255; 3];
    words(1, 1, |_, _| white);
    words(
        1,
        3000,
        |_, y| if y.is_multiple_of(2) { white } else { [0; 3] },
    );
    words(
        3000,
        1,
        |x, _| if x.is_multiple_of(2) { white } else { [0; 3] },
    );
    words(
        900,
        900,
        |x, _| if x.is_multiple_of(3) { white } else { [0; 3] },
    );
    words(900, 900, |x, y| {
        if (x + y).is_multiple_of(40) {
            white
        } else {
            [0; 3]
        }
    });
    // As many dots, and as many different cells, as fit.
    words(900, 900, |x, y| {
        if x.is_multiple_of(3) && y.is_multiple_of(3) {
            [0; 3]
        } else {
            white
        }
    });
    words(900, 900, |x, y| match (x % 9, y % 18) {
        (1..7, 4..14) => noise(x / 2, y / 2).map(|sample| if sample < 128 { 0 } else { 255 }),
        _ => white,
    });
    words(900, 900, |x, y| if x < 500 { white } else { noise(x, y) });
}
