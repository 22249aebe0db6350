//! What scripts do, as steps that those of machines are within.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::prelude::*;
use tracing::Span;
use tracing::field::Empty;

/// A step of a script's, on the thread that does it.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Step {
    span: Span,
    /// Who is in it.
    thread: Mutex<Option<ThreadId>>,
}

#[pymethods]
impl Step {
    #[new]
    fn new(what: &str, kind: &str, machine: Option<&str>) -> Self {
        let span = tracing::info_span!(
            target: "machine::step",
            "step",
            machine,
            kind,
            what,
            outcome = Empty,
            error = Empty
        );
        let thread = Mutex::default();
        Self { span, thread }
    }

    /// Begins it: what this thread does from now on is within it.
    fn enter(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        *thread = Some(thread::current().id());
        self.span
            .with_subscriber(|(id, subscriber)| subscriber.enter(id));
    }

    /// Ends it, and says how.
    fn exit(&self, outcome: &str, error: &str) {
        tracing::record_all!(self.span, outcome = outcome, error = error);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        // Python may close a generator on a thread that was never in it.
        if thread.take() == Some(thread::current().id()) {
            self.span
                .with_subscriber(|(id, subscriber)| subscriber.exit(id));
        }
    }
}
