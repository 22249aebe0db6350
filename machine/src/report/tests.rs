//! What the tests of all reports share.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::Span;
use tracing_subscriber::fmt::MakeWriter;

use crate::trace;

/// A writer that stores what is written.
#[derive(Clone, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The id of the failure in [`failing_steps`].
pub(super) const FAILURE: u64 = 7;

pub(super) fn step(machine: Option<&str>, what: &str) -> Span {
    trace::step(machine, None, what)
}

/// Ends a step with a failure.
pub(super) fn fail(step: &Span, error: &str, error_id: Option<u64>) {
    tracing::record_all!(
        step,
        outcome = trace::FAILED,
        error = error,
        error_id = error_id
    );
}

/// A group with a step that fails, and a step that passes.
pub(super) fn failing_steps() {
    let group = step(None, "subtest: one");
    group.in_scope(|| {
        tracing::info!("a word");
        let inner = step(Some("server"), "must succeed: false");
        inner.in_scope(|| {
            tracing::debug!(target: trace::CONSOLE, machine = "server", "a line");
            let (command, status, output) = ("false", 1, "<\x1b>");
            tracing::debug!(target: trace::OUTPUT, machine = "server", command, status, output);
        });
        let error = "command `false` failed\n  its output:\n    <";
        fail(&inner, error, Some(FAILURE));
    });
    let error = "Exception: command `false` failed\n  its output:\n    <";
    fail(&group, error, Some(FAILURE));
    let last = step(Some("server"), "waiting");
    last.record(trace::field::OUTCOME, trace::OK);
}
