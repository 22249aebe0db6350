//! The threads that read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::ReadError;
use crate::passes::Passes;
use crate::setup::Setup;
use crate::tesseract::Engines;

const MAX_THREADS: usize = 4;

/// Threads are started when there is more to do than there are idle ones, and
/// end with the pool.
pub(crate) struct Pool {
    setup: Arc<Setup>,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Arc<Passes>, usize)>,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            setup: Arc::new(setup),
            queue: Arc::default(),
            threads: Mutex::default(),
        }
    }

    /// As the reader was told.
    pub(crate) fn languages(&self) -> &str {
        self.setup.languages()
    }

    /// Has a pass done, unless it is on its way already. The best one of a
    /// screen comes before all that are not.
    pub(crate) fn want(&self, passes: &Arc<Passes>, rank: usize) {
        if !passes.claim(rank) {
            return;
        }
        let mut state = self.queue.lock();
        let job = (Arc::clone(passes), rank);
        if rank == 0 {
            state.jobs.push_front(job);
        } else {
            state.jobs.push_back(job);
        }
        let is_busy = state.jobs.len() > state.idle;
        drop(state);
        self.queue.changed.notify_one();
        if is_busy && let Err(error) = self.start_thread() {
            passes.finish(rank, Some(Err(error)));
        }
    }

    /// One more, if there may be one more. Fails if there is none at all.
    fn start_thread(&self) -> Result<(), ReadError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if threads.len() >= cores.min(MAX_THREADS) {
            return Ok(());
        }
        let (setup, queue) = (Arc::clone(&self.setup), Arc::clone(&self.queue));
        let thread = thread::Builder::new()
            .name("ocr".to_owned())
            .spawn(move || queue.work(&setup));
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) if threads.is_empty() => {
                let reason = error.to_string();
                return Err(ReadError::Threads { reason });
            }
            Err(error) => tracing::debug!(%error, "one thread less to read in"),
        }
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for the passes that have begun: at the end of the process, none
    /// may run into what the C++ library destroys then.
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn work(&self, setup: &Setup) {
        let mut engines = Engines::new();
        while let Some((passes, rank)) = self.next() {
            passes.run(rank, setup, &mut engines);
        }
    }

    /// `None` when the queue is closed.
    fn next(&self) -> Option<(Arc<Passes>, usize)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
