//! Pictures: from this directory, from the corpus, and drawn ones.

use std::fs;
use std::path::Path;

use ocr::Image;

pub(crate) fn data(name: &str) -> Vec<u8> {
    let directories = ["tests/console", "corpus/console", "corpus/firmware"];
    let found = directories.iter().find_map(|directory| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        fs::read(directory.join(name)).ok()
    });
    found.unwrap_or_else(|| panic!("no {name} in {directories:?}"))
}

pub(crate) fn image(name: &str) -> Image {
    Image::from_png(&data(&format!("{name}.png"))).expect("a picture")
}

/// The text on the picture of that name.
pub(crate) fn text(name: &str) -> String {
    let text = String::from_utf8(data(&format!("{name}.txt"))).expect("a text in UTF-8");
    text.trim_end_matches('\n').to_owned()
}

/// A picture to draw on.
pub(crate) struct Canvas {
    width: u32,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    pub(crate) fn new(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Self {
        let positions = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            pixels: positions.map(|(x, y)| colour(x, y)).collect(),
        }
    }

    pub(crate) fn of(image: &Image) -> Self {
        Self {
            width: image.width(),
            pixels: image.pixels().to_vec(),
        }
    }

    pub(crate) fn image(&self) -> Image {
        let height = self.pixels.len() / self.width as usize;
        let height = u32::try_from(height).expect("few rows");
        Image::from_rgb(self.width, height, self.pixels.clone()).expect("a picture")
    }

    pub(crate) fn set(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        self.pixels[(y * self.width + x) as usize] = colour;
    }

    pub(crate) fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, colour: [u8; 3]) {
        for (x, y) in (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))) {
            self.set(x, y, colour);
        }
    }

    /// Pixels of many colours.
    pub(crate) fn scatter(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for (x, y) in (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))) {
            let [_, red, green, blue] =
                (x * 7919 + y + 1).wrapping_mul(2_654_435_761).to_le_bytes();
            self.set(x, y, [red, green, blue]);
        }
    }

    pub(crate) fn draw(&mut self, image: &Image, x: u32, y: u32) {
        let rows = image.pixels().chunks(image.width() as usize);
        for (y, row) in (y..).zip(rows) {
            for (x, colour) in (x..).zip(row) {
                self.set(x, y, *colour);
            }
        }
    }
}
