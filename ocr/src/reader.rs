//! Reading with Tesseract.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use regex::Regex;

use crate::mutex::Mutex;
use crate::passes::{self, Passes};
use crate::pool::Pool;
use crate::setup::Setup;
use crate::tesseract::Source;
use crate::{Image, ReadError, Rect, Variant, Word};

/// Reads the text of screens with Tesseract, in this process.
///
/// Its threads, at most 5, start when there is something to read and keep their engines.
/// They end when the last clone of the reader and the last of its [`Reading`]s are
/// dropped; that drop waits for running passes. Clones share threads and results.
///
/// Without the feature `tesseract`, every reading fails with
/// [`TesseractDisabled`](ReadError::TesseractDisabled).
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

    /// Reads these languages, by Tesseract's names: `eng+deu`. Their data is searched for
    /// at the first reading, in `$TESSDATA_PREFIX` or the system's directory.
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
            last: Arc::new(Mutex::new(None)),
        }
    }

    /// Starts to read a screen; does not block.
    ///
    /// An image equal to the last one is not read again, unless a pass over it failed:
    /// the readings share their results. A huge image is reduced to sides of at most
    /// 16000 pixels, and at most 16 million pixels in all.
    pub fn read(&self, image: &Image) -> Reading {
        let mut last = self.last.lock();
        let passes = match &*last {
            Some(passes) if passes.image() == image && !passes.has_failed() => Arc::clone(passes),
            _ => Arc::new(Passes::new(image.clone())),
        };
        *last = Some(Arc::clone(&passes));
        drop(last);
        passes.add_reading();
        let pool = Arc::clone(&self.pool);
        let reading = Reading(Arc::new(Interest { passes, pool }));
        reading.request(0);
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

/// One screen that is being read.
///
/// The methods block for some hundred milliseconds per pass over a full screen: in async
/// code, call them where blocking is allowed. The most promising pass begins at once,
/// the others when their results are asked for. Clones share results; when the last
/// clone is dropped, passes that have not begun are cancelled.
#[derive(Clone)]
pub struct Reading(Arc<Interest>);

/// Keeps the queued passes from being cancelled.
struct Interest {
    passes: Arc<Passes>,
    pool: Arc<Pool>,
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.passes.remove_reading();
    }
}

impl Reading {
    /// The best interpretation. Empty if there is no text.
    pub fn text(&self) -> Result<String, ReadError> {
        self.best().map(|variant| variant.text.clone())
    }

    /// The words of the best interpretation.
    pub fn words(&self) -> Result<Vec<Word>, ReadError> {
        self.best().map(|variant| variant.words.clone())
    }

    /// All interpretations, in the order of completion: each of the three
    /// [`Picture`](crate::Picture)s is read by each [`Engine`](crate::Engine) in the
    /// language data, concurrently. The best one is usually the first.
    ///
    /// A pass that fails yields an error; others may follow it. Dropping the iterator and
    /// the reading cancels the passes that have not begun.
    pub fn variants(&self) -> Variants {
        self.request_all();
        Variants::of(self)
    }

    pub(crate) fn request_all(&self) {
        (0..passes::COUNT).for_each(|rank| self.request(rank));
    }

    /// Waits until the most promising pass is over. Returns whether it is; `None` is no
    /// limit.
    pub(crate) fn wait_for_best(&self, deadline: Option<Instant>) -> bool {
        self.0.passes.is_over_by(0, deadline)
    }

    /// The matches of `pattern` in the best interpretation that has any; empty if none
    /// has.
    ///
    /// The pattern is applied to lines of words separated by one space; if no line matches,
    /// to all words at the same height, however far apart they are. A match's rectangle
    /// contains all words that it overlaps; empty matches are left out.
    pub fn find_text(&self, pattern: &Regex) -> Result<Vec<Rect>, ReadError> {
        let mut error = None;
        let mut has_read = false;
        for outcome in self.by_rank() {
            match outcome {
                Err(failure) => error = error.or(Some(failure)),
                Ok(variant) => {
                    let places = variant.find(pattern);
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

    /// The best first; each begins when the one before has ended.
    fn by_rank(&self) -> impl Iterator<Item = Result<Arc<Variant>, ReadError>> {
        (0..passes::COUNT).filter_map(|rank| {
            self.request(rank);
            self.0.passes.wait(rank)
        })
    }

    fn request(&self, rank: usize) {
        self.0.pool.request(&self.0.passes, rank);
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

impl Variants {
    /// Those of the passes that are requested.
    pub(crate) fn of(reading: &Reading) -> Self {
        Self {
            reading: reading.clone(),
            index: 0,
        }
    }

    /// Blocks until the next pass has ended, or until the deadline; `None` is no limit.
    pub(crate) fn poll_until(
        &mut self,
        deadline: Option<Instant>,
    ) -> Poll<Option<Result<Variant, ReadError>>> {
        let passes = &self.reading.0.passes;
        passes
            .wait_for_finished(self.index, deadline)
            .map(|outcome| {
                self.index += 1;
                match outcome {
                    None if self.index == 1 => Some(Err(self.reading.no_engine())),
                    outcome => outcome.map(|result| result.map(|variant| Variant::clone(&variant))),
                }
            })
    }
}

impl Iterator for Variants {
    type Item = Result<Variant, ReadError>;

    /// Blocks until the next pass has ended.
    fn next(&mut self) -> Option<Self::Item> {
        match self.poll_until(None) {
            Poll::Ready(next) => next,
            // Without a deadline, this does not happen.
            Poll::Pending => None,
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
        assert!(!is_same(&first, &third), "only the last screen is kept");
    }
}
