//! What a reader knows of its engines.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::tesseract::Source;
use crate::{Engine, ReadError, language};

/// What all passes of a reader have in common.
pub(crate) struct Setup {
    pub(crate) source: Source,
    /// The language data has been found once.
    checked: AtomicBool,
    /// Whether the language data lacks the engine.
    lacks: [AtomicBool; Engine::ALL.len()],
}

impl Setup {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            checked: AtomicBool::new(false),
            lacks: [const { AtomicBool::new(false) }; _],
        }
    }

    pub(crate) fn languages(&self) -> &str {
        &self.source.languages
    }

    /// Whether the language data is there. Asks until it is.
    pub(crate) fn check(&self) -> Result<(), ReadError> {
        if !self.checked.load(Ordering::Relaxed) {
            language::check(&self.source)?;
            self.checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn lacks(&self, engine: Engine) -> bool {
        self.lacks[engine as usize].load(Ordering::Relaxed)
    }

    /// From now on; says so once.
    pub(crate) fn skip(&self, engine: Engine) {
        if !self.lacks[engine as usize].swap(true, Ordering::Relaxed) {
            let languages = &self.source.languages;
            tracing::info!(%engine, languages, "skipped: the language data lacks this engine");
        }
    }
}
