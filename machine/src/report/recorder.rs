//! Recording a run.

use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::outcome::{Failure, Outcome};
use super::record::{MAX_MESSAGE, Record};
use super::subscriber::ReportLayer;
use super::summary::Summary;
use super::truncated::Truncated;
use super::{log, page};

/// Records a run, and writes it as one HTML page.
///
/// A handle, cheap to clone. The page is bounded: it has the head and tail of long outputs and
/// consoles, 50 000 steps and 200 pictures, and the more text it has, the shorter are
/// further texts. Outputs and consoles that are truncated are in files beside the page.
#[derive(Clone, Debug)]
pub struct Recorder {
    record: ReportLayer<Record>,
}

impl Recorder {
    /// Creates a recorder. `title` is the title of the page.
    pub fn new(title: &str) -> Self {
        let record = ReportLayer::new(Record::new(title));
        Self { record }
    }

    /// The layer that records. With it, machines emit each screen that they read, which takes
    /// some milliseconds.
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
            failure.message = Truncated::new(&failure.message, MAX_MESSAGE).into_text();
            failure.summary = Truncated::new(&failure.summary, MAX_MESSAGE).into_text();
            failure
        });
        self.record
            .with(|record| record.conclusion = Some((outcome, failure)));
    }

    /// Summarizes the run in a few lines.
    pub fn summary(&self) -> Summary {
        self.record.with(|record| Summary::of(record))
    }

    /// The time since the recorder was created.
    pub fn elapsed(&self) -> Duration {
        self.record.with(|record| record.start.elapsed())
    }

    /// The log between two times of [`elapsed`](Self::elapsed), including the consoles, as
    /// [`Terminal`](super::Terminal) writes it. If it is long, its middle is left out.
    pub fn log(&self, from: Duration, to: Duration) -> String {
        self.record.with(|record| log::between(record, from, to))
    }

    /// Writes the page, a self-contained file. Texts that are too long for it are written
    /// beside it: those of `trace.html` into the directory `trace-files`, which is replaced.
    ///
    /// May be called again later to update the page. Blocks: on an async runtime, call it
    /// from [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html).
    ///
    /// # Errors
    /// The operating system's.
    pub fn write_page(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.record
            .with(|record| page::write(record, path.as_ref()))
    }
}
