//! Why a file is not a picture, and why a picture could not be read.

use std::path::PathBuf;

use crate::Engine;

/// Why a file is not a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no PPM file of the binary kind.
    #[error("not a binary PPM file: it does not begin with `P6`")]
    NotPpm,

    /// The header is wrong or cut short.
    #[error("the header of the PPM file lacks {expected}")]
    Header {
        /// What should have come.
        expected: &'static str,
    },

    /// There are too few pixels for the size in the header, or bytes behind
    /// them.
    #[error("a PPM file of {width}×{height} pixels has {expected} bytes of them, not {got}")]
    Length {
        /// In pixels, as the header says.
        width: u32,
        /// In pixels, as the header says.
        height: u32,
        /// How many bytes the header promises.
        expected: u128,
        /// How many bytes there are behind the header.
        got: usize,
    },

    /// The file is no PNG file, or a broken one.
    #[error("not a whole PNG file: {reason}")]
    Png {
        /// What the decoder found.
        reason: String,
    },

    /// The picture is larger than any screen.
    #[error("a picture of {width}×{height} pixels: more than {limit} are not taken")]
    TooLarge {
        /// In pixels, as the header says.
        width: u32,
        /// In pixels, as the header says.
        height: u32,
        /// As many pixels are decoded.
        limit: u64,
    },
}

/// Why a picture could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// What the reader was told is no list of languages.
    #[error("not languages of Tesseract's, as in `eng+deu`: {languages:?}")]
    Languages {
        /// What it was told.
        languages: String,
    },

    /// Tesseract has no data for a language.
    #[error(
        "no data for the language `{language}`: {} is missing; on Debian, install the package {package}",
        .file.display()
    )]
    LanguageMissing {
        /// By the name that Tesseract gives it.
        language: String,
        /// What was looked for.
        file: PathBuf,
        /// The Debian package that has it.
        package: String,
    },

    /// The language data is there, but Tesseract starts no engine with it.
    #[error(
        "no engine starts with the data of `{languages}`: it may be broken, or of another version"
    )]
    NoEngine {
        /// As the reader was told.
        languages: String,
    },

    /// An engine did not get through with the picture.
    #[error("Tesseract's engine `{engine}` could not read the picture")]
    Recognition {
        /// The engine.
        engine: Engine,
    },

    /// Something panicked while it read.
    #[error("reading the picture panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },

    /// There is no thread to read in.
    #[error("cannot start a thread to read in: {reason}")]
    Threads {
        /// What the system says.
        reason: String,
    },
}
