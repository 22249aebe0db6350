//! Why a file is not a picture.

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

    /// The picture in the PNG file is larger than any screen.
    #[error("a picture of {width}×{height} pixels: more than {limit} are not decoded")]
    TooLarge {
        /// In pixels, as the header says.
        width: u32,
        /// In pixels, as the header says.
        height: u32,
        /// As many pixels are decoded.
        limit: u64,
    },
}
