//! The search for text on a screen, while it is read.

use std::task::Poll;
use std::time::{Duration, Instant};

use crate::word::line_text;
use crate::{ReadError, Reading, Variant, Variants};

/// A search for text on one screen, in steps, so that a screen that changes meanwhile can be
/// left: see [`Screen::search`](crate::Screen::search).
///
/// Dropping it cancels the passes of Tesseract that have not begun.
#[derive(Debug)]
pub struct Search {
    /// The text of a text console, until it has been searched.
    console: Option<String>,
    /// `None` if the text console is exact, and so the only interpretation.
    tesseract: Option<Tesseract>,
    has_read: bool,
    failure: Option<ReadError>,
}

#[derive(Debug)]
struct Tesseract {
    reading: Reading,
    variants: Variants,
    is_best_over: bool,
}

/// How far a [`Search`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// An interpretation matches.
    Found,
    /// None has matched yet, and more of them can be read.
    Reading,
    /// No interpretation matches.
    NotFound,
}

impl Search {
    /// `console` is the text of a text console, `reading` that of Tesseract.
    pub(crate) fn new(console: Option<String>, reading: Option<Reading>) -> Self {
        let tesseract = reading.map(|reading| Tesseract {
            variants: Variants::of(&reading),
            reading,
            is_best_over: false,
        });
        Self {
            console,
            tesseract,
            has_read: false,
            failure: None,
        }
    }

    /// Searches the interpretations that are read within `patience`, each once: first the
    /// text of a text console and the best interpretation of Tesseract, then it returns. The
    /// other interpretations are only begun by the next call.
    ///
    /// Each is passed to `matches` in the forms that [`Screen::matches`](crate::Screen::matches)
    /// describes. Blocks for at most `patience`, beside `matches`.
    ///
    /// # Errors
    /// If nothing could be read.
    pub fn advance(
        &mut self,
        patience: Duration,
        matches: impl Fn(&str) -> bool,
    ) -> Result<Progress, ReadError> {
        // None: there is no such time, so no limit.
        let deadline = Instant::now().checked_add(patience);
        if let Some(text) = self.console.take() {
            self.has_read = true;
            if matches(&text) {
                return Ok(Progress::Found);
            }
        }
        let Some(tesseract) = &mut self.tesseract else {
            return Ok(Progress::NotFound);
        };
        let Some(deadline) = tesseract.begin(deadline) else {
            return Ok(Progress::Reading);
        };
        loop {
            match tesseract.variants.poll_until(deadline) {
                Poll::Pending => return Ok(Progress::Reading),
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(error))) => self.failure = Some(error),
                Poll::Ready(Some(Ok(variant))) => {
                    self.has_read = true;
                    if forms(variant).iter().any(|text| matches(text)) {
                        return Ok(Progress::Found);
                    }
                }
            }
        }
        match &self.failure {
            Some(error) if !self.has_read => Err(error.clone()),
            _ => Ok(Progress::NotFound),
        }
    }

    /// Whether the interpretation that is most probably right has been searched.
    pub fn has_tried_best(&self) -> bool {
        let tesseract = self.tesseract.as_ref();
        tesseract.map_or(self.console.is_none(), |tesseract| tesseract.is_best_over)
    }
}

impl Tesseract {
    /// Begins the other passes, if the best one is over; else waits for that one. Returns
    /// until when to wait for results; `None` if there is none yet.
    #[expect(clippy::option_option, reason = "the inner one means `no limit`")]
    fn begin(&mut self, deadline: Option<Instant>) -> Option<Option<Instant>> {
        if self.is_best_over {
            self.reading.request_all();
            return Some(deadline);
        }
        self.is_best_over = self.reading.wait_for_best(deadline);
        self.is_best_over.then(|| Some(Instant::now()))
    }
}

/// With lines split at wide gaps, with whole lines, and with rows.
fn forms(variant: Variant) -> [String; 3] {
    let lines: Vec<String> = variant.lines().collect();
    let rows = variant.rows();
    let rows: Vec<String> = rows.iter().map(|row| line_text(row)).collect();
    [variant.text, lines.join("\n"), rows.join("\n")]
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{Image, Reader, Screen};

    const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

    fn search(name: &str) -> Search {
        let image = Image::open(format!("{CORPUS}/{name}.png")).unwrap();
        Screen::new(image, None, &Reader::new()).search()
    }

    #[test]
    fn an_exact_console_has_one_interpretation() {
        let mut search = search("console/text-shell");
        assert!(!search.has_tried_best());
        let calls = RefCell::new(0);
        let count = |_: &str| {
            *calls.borrow_mut() += 1;
            false
        };
        for _ in 0..2 {
            let progress = search.advance(Duration::ZERO, count);
            assert_eq!(progress, Ok(Progress::NotFound));
            assert!(search.has_tried_best());
        }
        assert_eq!(calls.take(), 1);
    }

    #[cfg(feature = "tesseract")]
    #[test]
    fn the_best_interpretation_is_searched_before_the_others_are_begun() {
        let mut search = search("window/blue");
        let mut steps = Vec::new();
        loop {
            let texts = RefCell::new(Vec::new());
            let add = |text: &str| {
                texts.borrow_mut().push(text.to_owned());
                false
            };
            let progress = search.advance(Duration::MAX, add).unwrap();
            steps.push((progress, texts.take().len(), search.has_tried_best()));
            if progress != Progress::Reading {
                break;
            }
        }
        let [
            (Progress::Reading, 3, true),
            (Progress::NotFound, others, true),
        ] = steps[..]
        else {
            panic!("{steps:?}")
        };
        assert!(others >= 6 && others.is_multiple_of(3), "{others}");
        // Nothing is left.
        let progress = search.advance(Duration::MAX, |_| panic!("it is searched again"));
        assert_eq!(progress, Ok(Progress::NotFound));
    }
}
