//! What can go wrong, and how a log ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::printable;

/// What went wrong on a console.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's regular expression is none, or is too big.
    #[error("`{pattern}` is not a valid regular expression: {reason}")]
    InvalidPattern {
        /// The expression as given.
        pattern: String,
        /// What is wrong with it, and where.
        reason: String,
    },

    /// What was waited for did not come in time. Nothing has been consumed:
    /// the next wait searches the same text again.
    #[error("waited {timeout:?} for `{wanted}` on the console{}", Tail(last_lines))]
    TimedOut {
        /// The regular expression, or what the caller called it.
        wanted: String,
        /// How long the wait was to last.
        timeout: Duration,
        /// The last lines of the console, as [`Error::last_lines`] tells.
        last_lines: Vec<String>,
    },

    /// The log ended, and what was waited for is not in it.
    #[error(
        "waited for `{wanted}` on the console, but {ending}{}",
        Tail(last_lines)
    )]
    Ended {
        /// The regular expression, or what the caller called it.
        wanted: String,
        /// Why no more comes.
        ending: Ending,
        /// The last lines of the console, as [`Error::last_lines`] tells.
        last_lines: Vec<String>,
    },

    /// The caller wants to write to a console built without an
    /// [input](crate::Builder::input).
    #[error("this console can only be read")]
    ReadOnly,

    /// Writing to the console failed.
    #[error("writing to the console failed")]
    Write(#[source] Arc<io::Error>),
}

impl Error {
    /// The console's last lines when a wait failed, oldest first: ten at most,
    /// made [`printable`] and cut at 200 characters each. Empty for
    /// other errors.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::TimedOut { last_lines, .. } | Self::Ended { last_lines, .. } => last_lines,
            _ => &[],
        }
    }
}

/// Why no more comes from a console.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Ending {
    /// The other side closed it.
    Closed,
    /// Reading failed.
    Failed(Arc<io::Error>),
    /// The reading task was ended from outside, or by a panic in the caller's
    /// [`on_line`](crate::Builder::on_line).
    Stopped,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("it was closed"),
            Self::Failed(error) => write!(f, "reading it failed: {error}"),
            Self::Stopped => f.write_str("its reader was stopped"),
        }
    }
}

/// How many lines an error shows.
pub(crate) const SHOWN_LINES: usize = 10;

/// How many characters of a line an error shows.
const SHOWN_CHARS: usize = 200;

/// A console line as an error shows it.
pub(crate) fn shown(line: &str) -> String {
    let mut cut = line.char_indices().skip(SHOWN_CHARS).map(|(at, _)| at);
    match cut.next() {
        Some(at) => printable(&line[..at]).into_owned() + "…",
        None => printable(line).into_owned(),
    }
}

/// The last lines, at the end of a message.
struct Tail<'a>(&'a [String]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; nothing has come");
        }
        f.write_str("; its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::{Error, SHOWN_CHARS, shown};

    #[test]
    fn a_chain_holds_each_text_once() {
        let error = Error::Write(Arc::new(io::Error::other("no space left")));
        let source = std::error::Error::source(&error).expect("has a source");
        assert_eq!(error.to_string(), "writing to the console failed");
        assert_eq!(source.to_string(), "no space left");
        assert!(source.source().is_none());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "é".repeat(SHOWN_CHARS);
        assert_eq!(shown(&line), line);
        assert_eq!(shown(&(line.clone() + "x")), line + "…");
    }
}
