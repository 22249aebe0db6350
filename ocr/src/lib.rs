#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod areas;
mod color;
pub mod console;
mod error;
mod flatten;
mod image;
mod lines;
mod mutex;
mod passes;
mod png;
mod pool;
mod ppm;
mod preprocess;
mod reader;
mod rect;
mod screen;
mod setup;
mod tesseract;
mod tsv;
mod variant;
mod word;

pub use error::{Error, OpenError, ReadError};
pub use image::Image;
pub use reader::{Reader, Reading, Variants};
pub use rect::Rect;
pub use screen::{Interpretations, Screen};
pub use variant::{Engine, Picture, Variant};
pub use word::Word;

pub use regex;
