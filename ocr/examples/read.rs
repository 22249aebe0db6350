//! Prints all of Tesseract's interpretations of a PPM or PNG file, with the time of each.

#![expect(clippy::print_stdout, reason = "the text is the output")]

use std::error::Error;
use std::time::Instant;

use ocr::{Image, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: read FILE")?;
    let image = Image::open(path)?;
    let reader = Reader::new();
    let start = Instant::now();
    for variant in reader.read(&image).variants() {
        let variant = variant?;
        let (picture, engine) = (variant.picture, variant.engine);
        println!(
            "--- {picture:?}, {engine}, {:?}:\n{}",
            start.elapsed(),
            variant.text
        );
    }
    Ok(())
}
