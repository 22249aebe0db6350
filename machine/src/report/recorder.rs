//! Remembering a run.

use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::outcome::{Failure, Outcome};
use super::record::{LONGEST_MESSAGE, Record};
use super::subscriber::Listening;
use super::summary::Summary;
use super::truncated::Kept;
use super::{log, page};

/// Remembers what machines do, and makes one HTML page of it.
///
/// A handle, cheap to clone. What it remembers is bounded: of long outputs and consoles the
/// head and the tail, 50 000 steps, 200 pictures, and the more text there is already, the less
/// of what comes. What is cut of outputs and consoles is in a file beside the page, whole.
#[derive(Clone, Debug)]
pub struct Recorder {
    record: Listening<Record>,
}

impl Recorder {
    /// Remembers nothing yet. The page will be about `title`.
    pub fn new(title: &str) -> Self {
        let record = Listening::new(Record::new(title));
        Self { record }
    }

    /// The layer for a subscriber that has this remembered. Machines then tell their
    /// screens, which takes some milliseconds for each that is read.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.record.layer(Level::TRACE)
    }

    /// Sets how the run ended, and if it did not pass, why. Without this, the outcome of
    /// the last step is that of the run.
    pub fn conclude(&self, outcome: Outcome, failure: Option<Failure>) {
        let failure = failure.map(|mut failure| {
            failure.message = Kept::of(&failure.message, LONGEST_MESSAGE).into_text();
            failure
        });
        self.record
            .with(|record| record.conclusion = Some((outcome, failure)));
    }

    /// The run in a few lines.
    pub fn summary(&self) -> Summary {
        self.record.with(|record| Summary::of(record))
    }

    /// How long it has been remembering.
    pub fn elapsed(&self) -> Duration {
        self.record.with(|record| record.began.elapsed())
    }

    /// What was done and said between two times of [`elapsed`](Self::elapsed), with the
    /// consoles' lines, as [`Terminal`](super::Terminal) has it; with its middle left out, if
    /// it is long.
    pub fn log(&self, from: Duration, to: Duration) -> String {
        self.record.with(|record| log::between(record, from, to))
    }

    /// Writes the page, with all in it that it needs. What is too long for it is
    /// written beside it: `trace.html` has files in `trace-files`, which are replaced.
    ///
    /// May be called again, for a page with what has happened since.
    pub fn write_page(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.record
            .with(|record| page::write(record, path.as_ref()))
    }
}
