//! The passes over one screen: each engine reads each picture.

use std::sync::{Arc, Condvar, MutexGuard, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::catch_panic::catch_panic;
use crate::grey::Grey;
use crate::mutex::{self, Mutex};
use crate::page;
use crate::preprocess::Prepared;
use crate::recognize::{read_parts, read_whole};
use crate::setup::Setup;
use crate::tesseract::{Content, Engines};
use crate::{Engine, Image, Picture, ReadError, Variant};

/// The number of pictures that each engine reads.
const PICTURES: usize = 3;

/// The number of passes. A pass is identified by its rank: the most promising is 0.
pub(crate) const COUNT: usize = Engine::ALL.len() * PICTURES;

/// One screen, and the progress of its passes.
pub(crate) struct Passes {
    image: Image,
    prepared: OnceLock<Prepared>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    passes: [Pass; COUNT],
    /// The ranks of passes with a result, in the order of completion.
    finished: Vec<usize>,
    /// The number of readings that are in use. Without any, no pass begins.
    readings: usize,
}

#[derive(Default)]
enum Pass {
    #[default]
    Idle,
    Queued,
    Running,
    Finished(Result<Arc<Variant>, ReadError>),
    /// The engine or the picture does not exist.
    Skipped,
}

impl Pass {
    fn is_over(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Skipped)
    }

    fn result(&self) -> Outcome {
        match self {
            Self::Finished(result) => Some(result.clone()),
            _ => None,
        }
    }
}

/// The result of a pass; `None` for a pass that does not exist.
pub(crate) type Outcome = Option<Result<Arc<Variant>, ReadError>>;

impl Passes {
    pub(crate) fn new(image: Image) -> Self {
        Self {
            image,
            prepared: OnceLock::new(),
            progress: Mutex::new(Progress::default()),
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

    /// Registers a reading.
    pub(crate) fn add_reading(&self) {
        self.lock().readings += 1;
    }

    /// Unregisters a reading. With the last one, the queued passes are cancelled.
    pub(crate) fn remove_reading(&self) {
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

    /// Marks an idle pass as queued. Returns whether it was idle.
    pub(crate) fn claim(&self, rank: usize) -> bool {
        let pass = &mut self.lock().passes[rank];
        let is_idle = matches!(pass, Pass::Idle);
        if is_idle {
            *pass = Pass::Queued;
        }
        is_idle
    }

    /// Waits for the end of a claimed pass.
    pub(crate) fn wait(&self, rank: usize) -> Outcome {
        let progress = self.wait_while(None, |progress| !progress.passes[rank].is_over());
        progress.passes[rank].result()
    }

    /// Waits for the end of a claimed pass until `deadline`; `None` is no limit. Returns
    /// whether it has ended.
    pub(crate) fn is_over_by(&self, rank: usize, deadline: Option<Instant>) -> bool {
        let progress = self.wait_while(deadline, |progress| !progress.passes[rank].is_over());
        progress.passes[rank].is_over()
    }

    /// Waits for the result number `index` (from 0), in the order of completion, until
    /// `deadline`; `None` is no limit. Returns `None` if there are fewer.
    pub(crate) fn wait_for_finished(
        &self,
        index: usize,
        deadline: Option<Instant>,
    ) -> Poll<Outcome> {
        let are_all_over = |progress: &Progress| progress.passes.iter().all(Pass::is_over);
        let progress = self.wait_while(deadline, |progress| {
            index >= progress.finished.len() && !are_all_over(progress)
        });
        match progress.finished.get(index) {
            Some(&rank) => Poll::Ready(progress.passes[rank].result()),
            None if are_all_over(&progress) => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Runs a queued pass, unless it was cancelled.
    pub(crate) fn run(&self, rank: usize, setup: &Setup, engines: &mut Engines) {
        if !self.begin(rank) {
            return;
        }
        let engine = Engine::ALL[rank / PICTURES];
        let outcome = catch_panic(|| self.read(rank, setup, engines))
            .unwrap_or_else(|message| Some(Err(ReadError::Panicked { message })));
        if matches!(outcome, Some(Err(_))) {
            engines.discard(engine);
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

    /// Stores the result of a pass. If no engine can start, the idle and queued passes
    /// are skipped.
    pub(crate) fn finish(&self, rank: usize, outcome: Outcome) {
        let mut progress = self.lock();
        let concerns_all = matches!(
            outcome,
            Some(Err(ReadError::TesseractDisabled
                | ReadError::LanguageMissing { .. }
                | ReadError::Languages { .. }))
        );
        if concerns_all {
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
        if setup.is_missing(engine) {
            return None;
        }
        let prepared = self.prepared.get_or_init(|| Prepared::new(&self.image));
        let pictures = prepared.pictures();
        let picture = *pictures.get(rank % PICTURES)?;
        // In the last picture, the screen's background is dark.
        let content = if pictures.last() == Some(&picture) {
            Content::Any
        } else {
            Content::DarkOnLight
        };
        let mut read =
            |picture: &Grey, content| engines.read(&setup.source, engine, picture, content);
        let blocks = match picture {
            Picture::Processed => read_parts(prepared, &mut read),
            Picture::Raw | Picture::Negated => read_whole(prepared, picture, content, &mut read),
        };
        match blocks {
            Ok(None) => {
                setup.mark_missing(engine);
                None
            }
            Ok(Some(blocks)) => {
                let (text, words) = page::assemble(blocks);
                Some(Ok(Arc::new(Variant {
                    text,
                    words,
                    picture,
                    engine,
                })))
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock()
    }

    fn wait_while(
        &self,
        deadline: Option<Instant>,
        is_early: impl Fn(&Progress) -> bool,
    ) -> MutexGuard<'_, Progress> {
        let mut progress = self.lock();
        while is_early(&progress) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            progress = mutex::wait(&self.changed, progress, left);
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str) -> ReadError {
        let message = message.to_owned();
        ReadError::Panicked { message }
    }

    #[test]
    fn cancelled_passes_can_be_claimed_again() {
        let passes = Passes::new(Image::new(1, 1, vec![[0; 3]]));
        passes.add_reading();
        passes.add_reading();
        assert!(passes.claim(1) && !passes.claim(1));
        passes.remove_reading();
        assert!(!passes.claim(1));
        passes.remove_reading();
        assert!(passes.claim(1));
    }

    #[test]
    fn results_are_in_the_order_of_completion() {
        let passes = Passes::new(Image::new(1, 1, vec![[0; 3]]));
        passes.finish(3, Some(Err(failure("first"))));
        passes.finish(0, None);
        passes.finish(2, Some(Err(failure("second"))));
        let finished = |index| passes.wait_for_finished(index, Some(Instant::now()));
        assert_eq!(finished(0), Poll::Ready(Some(Err(failure("first")))));
        assert_eq!(finished(1), Poll::Ready(Some(Err(failure("second")))));
        assert_eq!(finished(2), Poll::Pending);
        assert_eq!(passes.wait(0), None);
        let is_over = |rank| passes.is_over_by(rank, Some(Instant::now()));
        assert!(is_over(3) && !is_over(1));
        for rank in [1, 4, 5, 6, 7, 8] {
            passes.finish(rank, None);
        }
        assert_eq!(finished(2), Poll::Ready(None));
    }
}
