//! Tesseract: what it is given, what it returns, and its engines.
//!
//! Only `engines` uses its libraries. Without the feature `tesseract`, `disabled` takes
//! the place of `engines`, and every reading fails.

use std::path::PathBuf;

#[cfg(not(feature = "tesseract"))]
mod disabled;
#[cfg(feature = "tesseract")]
#[expect(unsafe_code, reason = "Tesseract is a C++ library")]
mod engines;
#[cfg(feature = "tesseract")]
mod language;

#[cfg(not(feature = "tesseract"))]
pub(crate) use disabled::{Engines, check};
#[cfg(feature = "tesseract")]
pub(crate) use engines::{Engines, check};

/// The language data to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// In Tesseract's form: `eng+deu`.
    pub(crate) languages: String,
    /// `None` for the library's default.
    pub(crate) directory: Option<PathBuf>,
}

/// What an engine reads in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognized {
    pub(crate) text: String,
    pub(crate) tsv: String,
}

/// What text to expect in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polarity {
    /// All text is darker than its background.
    DarkOnLight,
    /// Some text may be lighter: this takes twice as long.
    Any,
}
