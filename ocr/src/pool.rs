//! The threads that run passes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, MutexGuard};
use std::thread::{self, JoinHandle};

use crate::ReadError;
use crate::mutex::{self, Mutex};
use crate::passes::Passes;
use crate::setup::Setup;
use crate::tesseract::Engines;

/// The largest number of threads that run other passes than the best of a screen.
const MAX_THREADS: usize = 4;

/// Starts threads when there are more jobs than idle threads; they end with the pool.
///
/// There is one more thread than run other passes than the best: the best pass of a new
/// screen need not wait for those of a screen that was left.
pub(crate) struct Pool {
    setup: Arc<Setup>,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    /// The largest number of other passes than the best that run at the same time.
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Arc<Passes>, usize)>,
    idle: usize,
    /// The number of running passes other than the best.
    others: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(setup: Setup) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            setup: Arc::new(setup),
            queue: Arc::new(Queue {
                limit: cores.min(MAX_THREADS),
                state: Mutex::new(State::default()),
                changed: Condvar::new(),
            }),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// As given to the reader.
    pub(crate) fn languages(&self) -> &str {
        self.setup.languages()
    }

    /// Queues a pass, unless that has been done. The most promising pass of a screen goes
    /// to the front.
    pub(crate) fn request(&self, passes: &Arc<Passes>, rank: usize) {
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

    /// Starts a thread, unless the limit is reached. Fails only if no thread is running.
    fn start_thread(&self) -> Result<(), ReadError> {
        let mut threads = self.threads.lock();
        if threads.len() > self.queue.limit {
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
            Err(error) => tracing::debug!(%error, "cannot start another thread for Tesseract"),
        }
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for running passes: none may run while the C++ library destroys its global
    /// variables at the end of the process.
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads.get_mut().drain(..) {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn work(&self, setup: &Setup) {
        let mut engines = Engines::new();
        while let Some((passes, rank)) = self.next() {
            passes.run(rank, setup, &mut engines);
            if rank > 0 {
                self.lock().others -= 1;
                self.changed.notify_one();
            }
        }
    }

    /// Waits for a job that may begin; returns `None` when the queue is closed.
    fn next(&self) -> Option<(Arc<Passes>, usize)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let may_run_others = state.others < self.limit;
            // The best passes are in front.
            if let Some(job) = state
                .jobs
                .pop_front_if(|(_, rank)| *rank == 0 || may_run_others)
            {
                state.others += usize::from(job.1 > 0);
                return Some(job);
            }
            state.idle += 1;
            state = mutex::wait(&self.changed, state, None);
            state.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
