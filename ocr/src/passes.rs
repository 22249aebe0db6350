//! The passes over one screen: each engine over each picture.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::preprocess::Prepared;
use crate::setup::Setup;
use crate::tesseract::{Engines, Text};
use crate::{Engine, Image, ReadError, Variant, tsv};

/// Each engine over as many pictures.
const PICTURES: usize = 3;

/// A pass's number is its rank: the one that promises most is 0.
pub(crate) const COUNT: usize = Engine::ALL.len() * PICTURES;

/// One screen, and how far its passes are.
pub(crate) struct Passes {
    image: Image,
    prepared: OnceLock<Prepared>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    passes: [Pass; COUNT],
    /// Those with a result, in the order in which they got it.
    finished: Vec<usize>,
    /// How many want results. Without any, no pass begins.
    readings: usize,
}

#[derive(Default)]
enum Pass {
    #[default]
    Idle,
    Queued,
    Running,
    Finished(Result<Arc<Variant>, ReadError>),
    /// There is no such engine or picture.
    Skipped,
}

impl Pass {
    fn is_over(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Skipped)
    }
}

/// A pass that went through, that failed, or that there is not.
pub(crate) type Outcome = Option<Result<Arc<Variant>, ReadError>>;

impl Passes {
    pub(crate) fn new(image: Image) -> Self {
        Self {
            image,
            prepared: OnceLock::new(),
            progress: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    pub(crate) fn has_failed(&self) -> bool {
        let progress = self.lock();
        let mut passes = progress.passes.iter();
        passes.any(|pass| matches!(pass, Pass::Finished(Err(_))))
    }

    /// One more wants results.
    pub(crate) fn enter(&self) {
        self.lock().readings += 1;
    }

    /// One less does. Passes that have not begun are none the last one's.
    pub(crate) fn leave(&self) {
        let mut progress = self.lock();
        progress.readings -= 1;
        if progress.readings > 0 {
            return;
        }
        for pass in &mut progress.passes {
            if matches!(pass, Pass::Queued) {
                *pass = Pass::Idle;
            }
        }
    }

    /// Whether the pass is to be put into the queue now.
    pub(crate) fn claim(&self, rank: usize) -> bool {
        let pass = &mut self.lock().passes[rank];
        let is_idle = matches!(pass, Pass::Idle);
        if is_idle {
            *pass = Pass::Queued;
        }
        is_idle
    }

    /// Waits for a pass that has been claimed.
    pub(crate) fn wait(&self, rank: usize) -> Outcome {
        let progress = self.wait_while(|progress| !progress.passes[rank].is_over());
        match &progress.passes[rank] {
            Pass::Finished(result) => Some(result.clone()),
            _ => None,
        }
    }

    /// Waits for the result that is the `index`-th to come. `None` if there are
    /// not so many.
    pub(crate) fn wait_for_finished(&self, index: usize) -> Outcome {
        let progress = self.wait_while(|progress| {
            index >= progress.finished.len() && !progress.passes.iter().all(Pass::is_over)
        });
        match &progress.passes[*progress.finished.get(index)?] {
            Pass::Finished(result) => Some(result.clone()),
            _ => None,
        }
    }

    /// Reads, unless nobody wants to know any more.
    pub(crate) fn run(&self, rank: usize, setup: &Setup, engines: &mut Engines) {
        if !self.begin(rank) {
            return;
        }
        let engine = Engine::ALL[rank / PICTURES];
        let outcome = guarded(|| self.read(rank, setup, engines));
        if matches!(outcome, Some(Err(_))) {
            engines.forget(engine);
        }
        self.finish(rank, outcome);
    }

    fn begin(&self, rank: usize) -> bool {
        let pass = &mut self.lock().passes[rank];
        let is_queued = matches!(pass, Pass::Queued);
        if is_queued {
            *pass = Pass::Running;
        }
        is_queued
    }

    /// What came of a pass. Without language data, the others are in vain.
    pub(crate) fn finish(&self, rank: usize, outcome: Outcome) {
        let mut progress = self.lock();
        let in_vain = matches!(
            outcome,
            Some(Err(
                ReadError::LanguageMissing { .. } | ReadError::Languages { .. }
            ))
        );
        if in_vain {
            for pass in &mut progress.passes {
                if matches!(pass, Pass::Idle | Pass::Queued) {
                    *pass = Pass::Skipped;
                }
            }
        }
        progress.passes[rank] = match outcome {
            Some(result) => {
                progress.finished.push(rank);
                Pass::Finished(result)
            }
            None => Pass::Skipped,
        };
        drop(progress);
        self.changed.notify_all();
    }

    fn read(&self, rank: usize, setup: &Setup, engines: &mut Engines) -> Outcome {
        let engine = Engine::ALL[rank / PICTURES];
        if let Err(error) = setup.check() {
            return Some(Err(error));
        }
        if setup.lacks(engine) {
            return None;
        }
        let prepared = self.prepared.get_or_init(|| Prepared::new(&self.image));
        let pictures = prepared.pictures();
        let picture = *pictures.get(rank % PICTURES)?;
        // The last one has the screen's background dark.
        let text = if pictures.last() == Some(&picture) {
            Text::Any
        } else {
            Text::DarkOnLight
        };
        match engines.read(&setup.source, engine, &prepared.render(picture), text) {
            Ok(None) => {
                setup.skip(engine);
                None
            }
            Ok(Some(recognized)) => Some(Ok(Arc::new(Variant {
                words: tsv::words(&recognized.tsv, &prepared.geometry()),
                text: recognized.text,
                picture,
                engine,
            }))),
            Err(error) => Some(Err(error)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, is_early: impl Fn(&Progress) -> bool) -> MutexGuard<'_, Progress> {
        let waiting = self
            .changed
            .wait_while(self.lock(), |progress| is_early(progress));
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic becomes an error: whoever waits for the result must not wait for
/// ever.
fn guarded(read: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let message = match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(other) => match other.downcast_ref::<&str>() {
                Some(message) => (*message).to_owned(),
                None => "something else than text".to_owned(),
            },
        };
        Some(Err(ReadError::Panicked { message }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str) -> ReadError {
        let message = message.to_owned();
        ReadError::Panicked { message }
    }

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| panic!("at once")), Some(Err(failure("at once"))));
        assert_eq!(guarded(|| panic!("{}", 7)), Some(Err(failure("7"))));
        assert_eq!(guarded(|| None), None);
    }

    #[test]
    fn passes_that_nobody_wants_can_be_claimed_again() {
        let passes = Passes::new(Image::new(1, 1, vec![[0; 3]]));
        passes.enter();
        passes.enter();
        assert!(passes.claim(1) && !passes.claim(1));
        passes.leave();
        assert!(!passes.claim(1));
        passes.leave();
        assert!(passes.claim(1));
    }

    #[test]
    fn results_come_in_the_order_in_which_they_finish() {
        let passes = Passes::new(Image::new(1, 1, vec![[0; 3]]));
        passes.finish(3, Some(Err(failure("first"))));
        passes.finish(0, None);
        passes.finish(2, Some(Err(failure("second"))));
        assert_eq!(passes.wait_for_finished(0), Some(Err(failure("first"))));
        assert_eq!(passes.wait_for_finished(1), Some(Err(failure("second"))));
        assert_eq!(passes.wait(0), None);
        for rank in [1, 4, 5, 6, 7, 8] {
            passes.finish(rank, None);
        }
        assert_eq!(passes.wait_for_finished(2), None);
    }
}
