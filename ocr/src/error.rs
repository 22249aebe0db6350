//! Errors of decoding and reading pictures.

use std::io;
use std::path::PathBuf;

use crate::Engine;

/// Why some bytes are not a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file does not begin like a binary PPM file.
    #[error("not a binary PPM file: it does not begin with `P6`")]
    NotPpm,

    /// The header is invalid or cut short.
    #[error("invalid header of a PPM file: expected {expected}")]
    Header {
        /// What the header must have at this position.
        expected: &'static str,
    },

    /// There are too few or too many bytes behind the header.
    #[error("a PPM file of {width}×{height} pixels must have {expected} bytes of them, got {got}")]
    Length {
        /// In pixels, as in the header.
        width: u32,
        /// In pixels, as in the header.
        height: u32,
        /// The number of bytes that the size in the header requires.
        expected: u128,
        /// The number of bytes behind the header.
        got: usize,
    },

    /// The file is not a PNG file, or is damaged.
    #[error("invalid PNG file: {reason}")]
    Png {
        /// The decoder's message.
        reason: String,
    },

    /// The picture is larger than any screen.
    #[error("a picture of {width}×{height} pixels exceeds the limit of {limit} pixels")]
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The largest number of pixels that is accepted.
        limit: u64,
    },

    /// The number of pixels does not match the size, or is 0.
    #[error("a picture of {width}×{height} pixels cannot be made of {got} pixels")]
    PixelCount {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The number of pixels given.
        got: usize,
    },
}

/// Why [`Image::open`](crate::Image::open) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be read.
    #[error("cannot read the picture {}", path.display())]
    #[non_exhaustive]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// The file is neither a PPM file nor a PNG file that can be decoded.
    #[error("cannot decode the picture {}", path.display())]
    #[non_exhaustive]
    Decode {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: DecodeError,
    },
}

/// Why a picture could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The crate was built without Tesseract, and the screen is not a text console
    /// that can be read without it.
    #[error("reading this needs the feature `tesseract` of the crate `ocr`")]
    TesseractDisabled,

    /// The reader was not given a list of languages.
    #[error("not a list of Tesseract's languages, such as `eng+deu`: {languages:?}")]
    Languages {
        /// What it was given.
        languages: String,
    },

    /// Tesseract has no data for a language.
    #[error(
        "no data for the language `{language}`: {} is missing; on Debian, install the package {package}",
        .file.display()
    )]
    LanguageMissing {
        /// Tesseract's name of the language.
        language: String,
        /// The file that does not exist.
        file: PathBuf,
        /// The Debian package that contains it.
        package: String,
    },

    /// The language data exists, but no engine of Tesseract starts with it.
    #[error(
        "no engine of Tesseract starts with the data of `{languages}`: it may be damaged, or of \
         another version"
    )]
    NoEngine {
        /// As given to the reader.
        languages: String,
    },

    /// An engine failed.
    #[error("the engine `{engine}` of Tesseract failed to read the picture")]
    Recognition {
        /// The engine.
        engine: Engine,
    },

    /// A reading thread panicked.
    #[error("reading the picture panicked: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },

    /// No thread for Tesseract could be started.
    #[error("cannot start a thread for Tesseract: {reason}")]
    Threads {
        /// The operating system's message.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;

    use super::*;

    /// The texts of an error and its sources, from the outermost.
    fn chain(error: &dyn StdError) -> Vec<String> {
        let mut texts = vec![error.to_string()];
        texts.extend(error.source().map(chain).unwrap_or_default());
        texts
    }

    /// Variants with a source: a new one must be added here, and to the test below.
    fn has_source(error: &OpenError) -> bool {
        match error {
            OpenError::Read { .. } | OpenError::Decode { .. } => true,
        }
    }

    #[test]
    fn chains_have_each_text_once() {
        let path = PathBuf::from("screen.ppm");
        let read = OpenError::Read {
            path: path.clone(),
            source: io::Error::other("the disk is broken"),
        };
        let decode = OpenError::Decode {
            path,
            source: DecodeError::NotPpm,
        };
        for (error, expected) in [
            (read, "the disk is broken".to_owned()),
            (decode, DecodeError::NotPpm.to_string()),
        ] {
            assert!(has_source(&error));
            let [text, source] = &chain(&error)[..] else {
                panic!("one source: {error:?}")
            };
            assert!(!text.contains(source.as_str()), "{text}");
            assert_eq!(*source, expected);
        }
    }
}
