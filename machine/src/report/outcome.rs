//! How a run, or a step of it, ended.

/// How a run, or a step of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Passed,
    /// It failed.
    Failed,
    /// It was interrupted, or the step around it ended first.
    Cancelled,
    /// Its time limit was exceeded.
    TimedOut,
}

impl Outcome {
    /// The name in the page's data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed-out",
        }
    }
}

/// Why a run did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The message: a panic's, or a traceback.
    pub message: String,
    /// The line of the message for a log: by default, the first one.
    pub summary: String,
    /// The `error_id` that the failed steps recorded, if known. See
    /// [`next_error_id`](crate::trace::next_error_id).
    pub error_id: Option<u64>,
    /// Whether the host, QEMU or the image caused it, rather than what is tested.
    pub infrastructure: bool,
}

impl Failure {
    /// A failure with these fields.
    pub fn new(message: impl Into<String>, error_id: Option<u64>, infrastructure: bool) -> Self {
        let message = message.into();
        Self {
            summary: message.lines().next().unwrap_or_default().to_owned(),
            message,
            error_id,
            infrastructure,
        }
    }

    /// Sets the summary: that of a traceback is not its first line.
    #[must_use]
    pub fn with_summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }
}
