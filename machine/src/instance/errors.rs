//! Errors of saving machines and of continuing from saved ones.

use std::error::Error as StdError;

use crate::error::ErrorKind;

/// The machine, or one like it, can't be saved.
pub(crate) fn not_savable(reason: impl Into<String>) -> ErrorKind {
    ErrorKind::NotSavable {
        reason: reason.into(),
    }
}

/// A template could not be made or used.
pub(crate) fn template_error(
    doing: &str,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> ErrorKind {
    ErrorKind::Template {
        doing: doing.to_owned(),
        source: source.into(),
        misuse: false,
    }
}
