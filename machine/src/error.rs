//! Errors of operations on machines, and their messages.

mod details;
mod infrastructure;
mod kind;
mod login;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;

pub use infrastructure::INFRASTRUCTURE;
pub use kind::ErrorKind;
pub use login::LoginError;
use text::{Chain, Lines, Printable};
pub(crate) use text::{chain, indented, tail};

use crate::trace;

/// The result of an operation on a machine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation on a machine that failed.
///
/// The message names the machine, what failed and all causes, then the evidence. It
/// includes the texts of all sources, so [`source`](std::error::Error::source) is `None`;
/// [`kind`](Self::kind) gives access to them. The `Debug` form is the same message, since
/// it is what a test that unwraps a result prints.
#[derive(Clone)]
pub struct Error {
    id: u64,
    machine: String,
    kind: Arc<ErrorKind>,
    evidence: Vec<Evidence>,
}

/// Information about a failure, such as a unit's journal or the text on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// A title of a few words.
    pub what: String,
    /// Its lines, safe to print.
    pub lines: Vec<String>,
}

impl Error {
    pub(crate) fn new(machine: &str, kind: ErrorKind) -> Self {
        Self {
            id: trace::next_error_id(),
            machine: machine.to_owned(),
            kind: Arc::new(kind),
            evidence: Vec::new(),
        }
    }

    /// An error of the test itself, for functions that return [`Result`]: the steps of a
    /// template, polling conditions. It belongs to no machine.
    ///
    /// ```
    /// # fn read() -> machine::Result<()> {
    /// let text = std::fs::read_to_string("Cargo.toml").map_err(machine::Error::other)?;
    /// # assert!(text.contains("[package]"));
    /// # Ok(())
    /// # }
    /// # read().unwrap();
    /// ```
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new("", ErrorKind::Other(source.into()))
    }

    /// Adds the last lines of `text`, unless it is empty.
    pub(crate) fn with_evidence(mut self, what: impl Into<String>, text: &str) -> Self {
        let (what, lines) = (what.into(), tail(text.as_bytes()));
        if !lines.is_empty() {
            self.evidence.push(Evidence { what, lines });
        }
        self
    }

    /// A number that identifies this failure in this process: the field `error_id` of the
    /// [steps](crate::trace::STEP) that it ended.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The machine's name; empty in an error of [`other`](Self::other).
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What was collected after the failure; the message includes it.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Whether the host, QEMU or the guest's image caused the failure, rather than the
    /// software under test. The message then ends with [`INFRASTRUCTURE`].
    pub fn is_infrastructure(&self) -> bool {
        self.kind.is_infrastructure()
    }

    /// The failure and its causes in one line.
    pub(crate) fn summary_line(&self) -> String {
        let text = chain(&*self.kind);
        text.lines().next().unwrap_or_default().to_owned()
    }

    /// Whether the guest's shell was replaced by another one, or the guest was reset.
    pub(crate) fn is_shell_restart(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::GuestReset { .. }
                | ErrorKind::Shell {
                    source: backdoor_shell::Error::Restarted { .. },
                    ..
                }
        )
    }

    /// Whether a time limit was reached: this is [`ErrorKind::TimedOut`], or that of a wait on
    /// the console.
    pub fn is_timeout(&self) -> bool {
        self.kind.is_timeout()
    }
}

impl ErrorKind {
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Console(error) => error.is_timeout(),
            _ => false,
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, kind, .. } = self;
        let mut message = Chain(&**kind).to_string();
        if !machine.is_empty() {
            message = format!("{machine}: {message}");
        }
        for (title, lines) in kind.details() {
            message += &Lines(title, lines).to_string();
        }
        for Evidence { what, lines } in &self.evidence {
            message += &Lines(what, lines).to_string();
        }
        if self.is_infrastructure() {
            message += "\n  ";
            message += INFRASTRUCTURE;
        }
        Printable(&message).fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
