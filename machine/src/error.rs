//! What can go wrong with a machine, and the story it tells.

mod infrastructure;
mod kind;
mod text;

use std::fmt;

use infrastructure::Blame;
pub use infrastructure::INFRASTRUCTURE;
pub use kind::ErrorKind;
use text::{All, Told};
pub(crate) use text::{indented, tail};

/// The result of an operation on a machine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation on a machine that failed.
///
/// Its `Debug` form is the same story as its `Display` form, because that is
/// what a test that unwraps it shows.
#[derive(thiserror::Error)]
#[error("{}", Told(format!("{machine}: {kind}{}{}", All(evidence), Blame(kind))))]
pub struct Error {
    machine: String,
    #[source]
    kind: Box<ErrorKind>,
    evidence: Vec<Evidence>,
}

/// What was found out about a failure after it had happened, such as a unit's
/// journal or the text on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// What it is, in a few words.
    pub what: String,
    /// Its lines, safe to print.
    pub lines: Vec<String>,
}

impl Error {
    pub(crate) fn new(machine: &str, kind: ErrorKind) -> Self {
        Self {
            machine: machine.to_owned(),
            kind: Box::new(kind),
            evidence: Vec::new(),
        }
    }

    /// Adds the last lines of `text`, if there are any.
    pub(crate) fn with_evidence(mut self, what: impl Into<String>, text: &str) -> Self {
        let (what, lines) = (what.into(), tail(text.as_bytes()));
        if !lines.is_empty() {
            self.evidence.push(Evidence { what, lines });
        }
        self
    }

    /// The machine's name.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What was found out about it; part of the message, too.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Whether the host, QEMU or the guest's image is to blame, rather than what is
    /// tested. The message then ends with [`INFRASTRUCTURE`].
    pub fn is_infrastructure(&self) -> bool {
        self.kind.is_infrastructure()
    }

    /// What went wrong, in a line.
    pub(crate) fn gist(&self) -> String {
        let story = self.kind.to_string();
        story.lines().next().unwrap_or_default().to_owned()
    }

    /// Whether the guest's shell went away and another came.
    pub(crate) fn is_shell_restart(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::Shell {
                source: backdoor_shell::Error::Restarted { .. },
                ..
            }
        )
    }

    /// Whether it was waited for in vain: [`ErrorKind::TimedOut`].
    pub fn is_timeout(&self) -> bool {
        matches!(*self.kind, ErrorKind::TimedOut { .. })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
