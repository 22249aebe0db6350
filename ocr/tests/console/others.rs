//! Pictures that are not consoles.

use ocr::console::Fonts;

use super::pictures::{Canvas, image};

#[test]
fn other_pictures_are_not_read() {
    let gradient = Canvas::new(1280, 800, |x, y| {
        [
            x.to_le_bytes()[0],
            y.to_le_bytes()[0],
            (x + y).to_le_bytes()[0],
        ]
    });
    assert_eq!(Fonts::host().read(&gradient.image()), None);

    for colour in [[0; 3], [255; 3]] {
        let blank = Canvas::new(720, 400, |_, _| colour);
        assert_eq!(Fonts::host().read(&blank.image()), None);
    }
    let checks = Canvas::new(720, 400, |x, y| [if (x ^ y) & 4 == 0 { 0 } else { 255 }; 3]);
    assert_eq!(Fonts::host().read(&checks.image()), None);
    let mut noise = Canvas::new(1024, 768, |_, _| [0; 3]);
    noise.scatter(0, 0, 1024, 768);
    assert_eq!(Fonts::host().read(&noise.image()), None);
}

/// A terminal in a window is not aligned to the grid, or does not fill it.
#[test]
fn a_desktop_is_not_read() {
    let terminal = image("text-shell");
    for (left, top) in [(100, 100), (33, 57), (144, 160)] {
        let mut desktop = Canvas::new(1280, 800, |_, _| [0x30, 0x60, 0x90]);
        desktop.fill(0, 0, 1280, 24, [0xd0; 3]);
        desktop.fill(left - 2, top - 20, 724, 422, [0xff; 3]);
        desktop.fill(left, top - 18, 720, 18, [0x20, 0x20, 0x80]);
        // A title whose letters have soft edges, and icons.
        for letter in 0..30 {
            desktop.scatter(left + 8 + letter * 7, top - 14, 5, 10);
        }
        for icon in 0..6 {
            desktop.scatter(20 + icon * 90, 620, 48, 48);
        }
        desktop.draw(&terminal, left, top);
        assert_eq!(Fonts::host().read(&desktop.image()), None, "{left}, {top}");
    }
}

#[test]
fn pictures_of_any_size_do_no_harm() {
    for (width, height) in [
        (1, 1),
        (1, 5000),
        (5000, 1),
        (7, 7),
        (9, 16),
        (8192, 3),
        (3, 20000),
    ] {
        for colour in [0, 0xff] {
            let canvas = Canvas::new(width, height, |x, y| {
                [u8::from((x ^ y) & 1 == 0) * colour; 3]
            });
            assert_eq!(
                Fonts::host().read(&canvas.image()),
                None,
                "{width}×{height}"
            );
        }
    }
}
