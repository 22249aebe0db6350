#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! An [`Image`] and a [`Reader`] make a [`Screen`], whose text is read, matched and found. The
//! module [`console`] reads text consoles alone. Errors: [`OpenError`], [`DecodeError`],
//! [`ReadError`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod areas;
mod blobs;
mod catch_panic;
mod color;
pub mod console;
mod disjoint_sets;
mod error;
mod flatten;
mod grey;
mod image;
mod lines;
mod mutex;
mod page;
mod passes;
mod png;
mod pool;
mod ppm;
mod preprocess;
mod reader;
mod recognize;
mod rect;
mod screen;
mod search;
mod setup;
mod strips;
mod terminal;
mod tesseract;
mod tsv;
mod variant;
mod word;

pub use error::{DecodeError, OpenError, ReadError};
pub use image::Image;
pub use reader::{Reader, Reading, Variants};
#[doc(hidden)]
pub use recognize::read_with;
pub use rect::Rect;
pub use screen::{Interpretations, Screen};
pub use search::{Progress, Search};
pub use variant::{Engine, Picture, Variant};
pub use word::Word;

pub use regex;
