//! The state that all passes of a reader share.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::tesseract::{self, Source};
use crate::{Engine, ReadError};

/// The language data of a reader, and what is known about it.
pub(crate) struct Setup {
    pub(crate) source: Source,
    /// Whether the language data was found once.
    is_checked: AtomicBool,
    /// For each engine, whether the language data does not contain it.
    is_missing: [AtomicBool; Engine::ALL.len()],
}

impl Setup {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            is_checked: AtomicBool::new(false),
            is_missing: [const { AtomicBool::new(false) }; _],
        }
    }

    pub(crate) fn languages(&self) -> &str {
        &self.source.languages
    }

    /// Checks that the language data exists, until it does.
    pub(crate) fn check(&self) -> Result<(), ReadError> {
        if !self.is_checked.load(Ordering::Relaxed) {
            tesseract::check(&self.source)?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn is_missing(&self, engine: Engine) -> bool {
        self.is_missing[engine as usize].load(Ordering::Relaxed)
    }

    /// Marks the engine as missing; logs it the first time.
    pub(crate) fn mark_missing(&self, engine: Engine) {
        if !self.is_missing[engine as usize].swap(true, Ordering::Relaxed) {
            let languages = &self.source.languages;
            tracing::info!(%engine, languages, "the language data does not contain this engine");
        }
    }
}
