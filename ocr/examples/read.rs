//! Reads a screenshot, a PPM or PNG file: all its interpretations, with the
//! time that each took to come.

#![expect(clippy::print_stdout, reason = "the text is the output")]

use std::error::Error;
use std::time::Instant;

use ocr::{Image, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file?")?;
    let file = std::fs::read(path)?;
    let image = if file.starts_with(b"P6") {
        Image::from_ppm(&file)?
    } else {
        Image::from_png(&file)?
    };
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
