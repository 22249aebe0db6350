//! Steps of scripts, which contain the steps of machines.

use std::thread::{self, ThreadId};

use machine::trace;
use pyo3::prelude::*;
use tracing::Span;

use super::errors::FailureFields;
use crate::sync::Mutex;

/// A step of a script, on the thread that runs it.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Step {
    span: Span,
    /// The thread that has entered it.
    thread: Mutex<Option<ThreadId>>,
}

#[pymethods]
impl Step {
    #[new]
    fn new(what: &str, kind: &str, machine: Option<&str>) -> Self {
        Self {
            span: trace::step(machine, Some(kind), what),
            thread: Mutex::default(),
        }
    }

    /// Begins the step. Later steps of this thread are nested in it.
    fn enter(&self) {
        let mut thread = self.thread.lock();
        *thread = Some(thread::current().id());
        self.span
            .with_subscriber(|(id, subscriber)| subscriber.enter(id));
    }

    /// Calls a function on another thread than that of the step. Its steps are nested in
    /// this one.
    fn run(&self, function: &Bound<'_, PyAny>) -> PyResult<()> {
        let _entered = self.span.enter();
        function.call0().map(drop)
    }

    /// Ends the step and records its outcome.
    fn exit(&self, outcome: &str, failure: Option<FailureFields>) {
        let (error, error_id, infrastructure, summary) = failure.unwrap_or_default();
        // All at once, as subscribers consider the step ended when its outcome is recorded.
        tracing::record_all!(
            self.span,
            outcome = outcome,
            error = error,
            summary = summary,
            error_id = error_id,
            infrastructure = infrastructure,
        );
        let mut thread = self.thread.lock();
        // Python may close a generator on a thread that did not enter it.
        if thread.take() == Some(thread::current().id()) {
            self.span
                .with_subscriber(|(id, subscriber)| subscriber.exit(id));
        }
    }
}
