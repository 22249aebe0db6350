//! Errors, and the reasons why a log ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::{printable, visible};

/// An error of a console log.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The regular expression is invalid or too big.
    #[error("`{pattern}` is not a valid regular expression: {reason}")]
    InvalidPattern {
        /// The expression as given.
        pattern: String,
        /// The parser's or compiler's message.
        reason: String,
    },

    /// There was no match before the timeout. The next wait searches the same
    /// text again.
    #[error("{} `{wanted}` on the console{}", Waited(*timeout), Tail(last_lines))]
    TimedOut {
        /// The regular expression, or the caller's description of the search.
        wanted: String,
        /// The timeout of the wait.
        timeout: Duration,
        /// The last lines of the console; see [`Error::last_lines`].
        last_lines: Vec<String>,
    },

    /// The terminal's screen has not shown it before the timeout.
    #[error("{} `{wanted}` on the screen of the console's terminal{}", Waited(*timeout), Screen(screen))]
    NotOnScreen {
        /// The regular expression, or the caller's description of the search.
        wanted: String,
        /// The timeout of the wait.
        timeout: Duration,
        /// The rows of the screen.
        screen: Vec<String>,
    },

    /// The log ended without a match.
    #[error(
        "waited for `{wanted}` on the console, but {ending}{}",
        Tail(last_lines)
    )]
    Ended {
        /// The regular expression, or the caller's description of the search.
        wanted: String,
        /// The reason why the log ended.
        ending: Ending,
        /// The last lines of the console; see [`Error::last_lines`].
        last_lines: Vec<String>,
    },

    /// [`SerialLog::send`](crate::SerialLog::send) was called on a console
    /// without an [input](crate::Builder::input).
    #[error("the console is read-only")]
    ReadOnly,

    /// Writing to the console failed.
    #[error("writing to the console failed")]
    Write(#[source] Arc<io::Error>),
}

impl Error {
    /// Whether a wait has reached its time limit.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::NotOnScreen { .. })
    }

    /// Returns the console's last lines when a wait failed, oldest first: at
    /// most ten, each as an [`excerpt`], or the screen that they draw. Empty for other
    /// errors.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::TimedOut { last_lines, .. } | Self::Ended { last_lines, .. } => last_lines,
            Self::NotOnScreen { screen, .. } => screen,
            _ => &[],
        }
    }
}

/// Why a log ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Ending {
    /// The other side closed it.
    Closed,
    /// Reading failed.
    Failed(Arc<io::Error>),
    /// The reading task was cancelled.
    Stopped,
    /// [`on_line`](crate::Builder::on_line) panicked.
    Panicked,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("it was closed"),
            Self::Failed(error) => write!(f, "reading it failed: {error}"),
            Self::Stopped => f.write_str("its reader was stopped"),
            Self::Panicked => f.write_str("its `on_line` function panicked"),
        }
    }
}

/// Maximum number of lines in an error.
pub(crate) const SHOWN_LINES: usize = 10;

/// Maximum length of a line in an error, in characters.
const SHOWN_CHARS: usize = 200;

/// Returns a console line as the errors of this crate show it: only what is
/// [`visible`], [`printable`], and at most 200 characters.
pub fn excerpt(line: &str) -> String {
    let line = visible(line);
    let mut cut = line.char_indices().skip(SHOWN_CHARS).map(|(at, _)| at);
    match cut.next() {
        Some(at) => printable(&line[..at]).into_owned() + "…",
        None => printable(&line).into_owned(),
    }
}

/// Formats how long a wait lasted.
struct Waited(Duration);

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Duration::ZERO => f.write_str("did not wait for"),
            timeout => write!(f, "waited {timeout:?} for"),
        }
    }
}

/// Formats the last lines for the end of a message.
struct Tail<'a>(&'a [String]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it printed nothing");
        }
        f.write_str("; its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Formats a screen for the end of a message.
struct Screen<'a>(&'a [String]);

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it is empty");
        }
        f.write_str("; it shows:")?;
        self.0.iter().try_for_each(|row| write!(f, "\n    {row}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Error, SHOWN_CHARS, excerpt};

    #[test]
    fn a_wait_without_time_is_described_in_words() {
        let timed_out = |timeout| Error::TimedOut {
            wanted: "x".to_owned(),
            timeout,
            last_lines: Vec::new(),
        };
        assert_eq!(
            timed_out(Duration::ZERO).to_string(),
            "did not wait for `x` on the console; it printed nothing"
        );
        assert_eq!(
            timed_out(Duration::from_secs(3)).to_string(),
            "waited 3s for `x` on the console; it printed nothing"
        );
    }

    /// A new variant must be added here, and to the test below if it has a source.
    fn has_source(error: &Error) -> bool {
        match error {
            Error::Write(_) => true,
            Error::InvalidPattern { .. }
            | Error::TimedOut { .. }
            | Error::NotOnScreen { .. }
            | Error::Ended { .. }
            | Error::ReadOnly => false,
        }
    }

    #[test]
    fn each_text_appears_once_in_the_chain() {
        let error = Error::Write(Arc::new(io::Error::other("no space left")));
        assert!(has_source(&error));
        let source = std::error::Error::source(&error).expect("has a source");
        assert_eq!(error.to_string(), "writing to the console failed");
        assert_eq!(source.to_string(), "no space left");
        assert!(source.source().is_none());
    }

    #[test]
    fn a_long_line_is_truncated_between_characters() {
        let line = "é".repeat(SHOWN_CHARS);
        assert_eq!(excerpt(&line), line);
        assert_eq!(excerpt(&(line.clone() + "x")), line.clone() + "…");
        assert_eq!(excerpt(&format!("\u{1b}[31m{line}\u{1b}[m")), line);
    }
}
