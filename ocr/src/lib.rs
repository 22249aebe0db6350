#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod areas;
mod color;
pub mod console;
mod error;
mod flatten;
mod image;
mod language;
mod lines;
mod passes;
mod png;
mod pool;
mod ppm;
mod preprocess;
mod reader;
mod rect;
mod setup;
#[expect(unsafe_code, reason = "Tesseract is a library of C++")]
mod tesseract;
mod tsv;
mod variant;
mod word;

pub use error::{Error, ReadError};
pub use image::Image;
pub use reader::{Reader, Reading, Variants};
pub use rect::Rect;
pub use variant::{Engine, Picture, Variant};
pub use word::Word;
