//! Readers, and what they read.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

use crate::passes::{self, Passes};
use crate::pool::Pool;
use crate::setup::Setup;
use crate::tesseract::Source;
use crate::word::find;
use crate::{Image, ReadError, Rect, Variant, Word};

/// Reads the text of screens, with Tesseract in this process.
///
/// Its threads, at most 4, start when there is something to read, keep their
/// engines, and end with the last clone of the reader and the last of its
/// [`Reading`]s; dropping that one waits for a pass that has begun.
#[derive(Clone)]
pub struct Reader {
    pool: Arc<Pool>,
    /// The screen that was read last.
    last: Arc<Mutex<Option<Arc<Passes>>>>,
}

impl Reader {
    /// Reads English.
    pub fn new() -> Self {
        Self::with_languages("eng")
    }

    /// Reads languages by the names that Tesseract gives them: `eng+deu`. Their
    /// data is looked for when something is to be read: in `$TESSDATA_PREFIX`,
    /// or where the system has it.
    pub fn with_languages(languages: impl Into<String>) -> Self {
        Self::with_source(languages.into(), None)
    }

    /// Reads languages whose `.traineddata` files are in `directory`.
    pub fn with_data(languages: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self::with_source(languages.into(), Some(directory.into()))
    }

    fn with_source(languages: String, directory: Option<PathBuf>) -> Self {
        let setup = Setup::new(Source {
            languages,
            directory,
        });
        Self {
            pool: Arc::new(Pool::new(setup)),
            last: Arc::default(),
        }
    }

    /// Begins to read a screen, and returns at once.
    ///
    /// An image equal to the last one is not read again: this returns what is
    /// known of it, unless something failed then. A huge image is read at a
    /// lower resolution: the longer side has at most 16000 pixels, and there are
    /// at most 16 million.
    pub fn read(&self, image: &Image) -> Reading {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = match &*last {
            Some(passes) if passes.image() == image && !passes.has_failed() => Arc::clone(passes),
            _ => Arc::new(Passes::new(image.clone())),
        };
        *last = Some(Arc::clone(&passes));
        drop(last);
        passes.enter();
        let pool = Arc::clone(&self.pool);
        let reading = Reading(Arc::new(Wish { passes, pool }));
        reading.want(0);
        reading
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// The text of one screen, as it becomes known.
///
/// The methods wait, some hundred milliseconds for a full screen and pass: in
/// async code, call them where blocking is allowed. Clones share the work. A
/// pass begins when its result is asked for, the best one at once; what has not
/// begun when the last clone goes is not done.
#[derive(Clone)]
pub struct Reading(Arc<Wish>);

/// Results are wanted as long as this lives.
struct Wish {
    passes: Arc<Passes>,
    pool: Arc<Pool>,
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.passes.leave();
    }
}

impl Reading {
    /// The best interpretation. Empty if there is no text.
    pub fn text(&self) -> Result<String, ReadError> {
        self.best().map(|variant| variant.text.clone())
    }

    /// The words of the best interpretation, and where they are.
    pub fn words(&self) -> Result<Vec<Word>, ReadError> {
        self.best().map(|variant| variant.words.clone())
    }

    /// All interpretations, each as soon as it is known: those of the three
    /// [`Picture`](crate::Picture)s by each [`Engine`](crate::Engine) that the
    /// language data has, read side by side. The best one is usually the first.
    ///
    /// Those that fail are errors among the others. Take what you need and drop
    /// the rest: passes that have not begun are not done then.
    pub fn variants(&self) -> Variants {
        (0..passes::COUNT).for_each(|rank| self.want(rank));
        Variants {
            reading: self.clone(),
            index: 0,
        }
    }

    /// Where the pattern matches, in the best interpretation in which it does;
    /// empty if there is none.
    ///
    /// The pattern is applied to lines, with one space between two words. A
    /// match may span several words of a line, and its place is that of all
    /// words it touches; a match of no character has none.
    pub fn find_text(&self, pattern: &Regex) -> Result<Vec<Rect>, ReadError> {
        let mut error = None;
        let mut has_read = false;
        for outcome in self.by_rank() {
            match outcome {
                Err(failure) => error = error.or(Some(failure)),
                Ok(variant) => {
                    let places = find(&variant.words, pattern);
                    if !places.is_empty() {
                        return Ok(places);
                    }
                    has_read = true;
                }
            }
        }
        match error {
            Some(error) if !has_read => Err(error),
            None if !has_read => Err(self.no_engine()),
            _ => Ok(Vec::new()),
        }
    }

    fn best(&self) -> Result<Arc<Variant>, ReadError> {
        let mut error = None;
        for outcome in self.by_rank() {
            match outcome {
                Ok(variant) => return Ok(variant),
                Err(failure) => error = error.or(Some(failure)),
            }
        }
        Err(error.unwrap_or_else(|| self.no_engine()))
    }

    /// The best first; each is begun when the one before is known.
    fn by_rank(&self) -> impl Iterator<Item = Result<Arc<Variant>, ReadError>> {
        (0..passes::COUNT).filter_map(|rank| {
            self.want(rank);
            self.0.passes.wait(rank)
        })
    }

    fn want(&self, rank: usize) {
        self.0.pool.want(&self.0.passes, rank);
    }

    fn no_engine(&self) -> ReadError {
        ReadError::NoEngine {
            languages: self.0.pool.languages().to_owned(),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// The interpretations of a screen: see [`Reading::variants`].
#[derive(Debug, Clone)]
pub struct Variants {
    reading: Reading,
    index: usize,
}

impl Iterator for Variants {
    type Item = Result<Variant, ReadError>;

    /// Waits for the next one.
    fn next(&mut self) -> Option<Self::Item> {
        let outcome = self.reading.0.passes.wait_for_finished(self.index);
        self.index += 1;
        match outcome {
            None if self.index == 1 => Some(Err(self.reading.no_engine())),
            outcome => outcome.map(|result| result.map(|variant| Variant::clone(&variant))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_screen_is_not_read_again() {
        let [black, white] = [b"P6 1 1 255 \0\0\0", b"P6 1 1 255 \xff\xff\xff"]
            .map(|ppm| Image::from_ppm(ppm).unwrap());
        let reader = Reader::new();
        let [first, again, other, third] =
            [&black, &black, &white, &black].map(|image| reader.clone().read(image));
        let is_same = |a: &Reading, b: &Reading| Arc::ptr_eq(&a.0.passes, &b.0.passes);
        assert!(is_same(&first, &again));
        assert!(!is_same(&first, &other));
        assert!(!is_same(&first, &third), "only the last one is kept");
    }
}
