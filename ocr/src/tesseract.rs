//! Tesseract: what it is given, what it returns, and its engines.
//!
//! Only `engines` uses its libraries. Without the feature `tesseract`, `disabled` takes
//! the place of `engines`, and every reading fails.

use std::path::PathBuf;

use crate::ReadError;
use crate::grey::Grey;

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

/// What text to expect in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// One line, darker than its background.
    Line,
    /// Text anywhere, darker than its background.
    DarkOnLight,
    /// Text anywhere, some of which may be lighter: this takes twice as long.
    Any,
}

/// Reads a picture of one line; returns `None` without the engine.
pub(crate) type ReadLine<'a> = dyn FnMut(&Grey) -> Result<Option<String>, ReadError> + 'a;
