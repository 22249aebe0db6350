#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod areas;
pub mod console;
mod error;
mod flatten;
mod image;
mod language;
mod lines;
mod passes;
mod place;
mod png;
mod pool;
mod ppm;
mod preprocess;
mod reader;
mod setup;
#[expect(unsafe_code, reason = "Tesseract is a library of C++")]
mod tesseract;
mod variant;
mod words;

pub use error::{Error, ReadError};
pub use image::Image;
pub use place::Place;
pub use reader::{Reader, Reading, Variants};
pub use variant::{Engine, Picture, Variant};
pub use words::Word;
