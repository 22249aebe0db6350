//! The handle of a console log.

use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::builder::Builder;
use crate::error::{Ending, Error};
use crate::follow::Follow;
use crate::log::{Log, LogText};
use crate::search::{Pattern, Rescan};
use crate::wait::{WaitError, wait};

/// The writing half of a console.
pub(crate) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// A handle of a console log, cheap to clone.
///
/// A background task reads the console to its end, even when no wait is running
/// and all handles are dropped, so a full pipe never blocks the guest. Its
/// memory is bounded (see [`Builder::memory`]).
///
/// # The last match
///
/// Each handle has a cursor of its own: the end of the last match that a wait on
/// this handle has found. A wait searches the text after it. If the wait finds a
/// match, the cursor moves to the end of the match; if the wait fails or is
/// dropped, the cursor stays. A clone starts with the same cursor; afterwards,
/// waits on one do not affect the other. So tasks that each need all matches of
/// their pattern clone the log.
///
/// Concurrent waits on one handle share its cursor: each searches from the
/// cursor's position at its start, two of them may find the same text, and the
/// cursor moves to the end of the later match.
///
/// A wait cannot find text that has been evicted from memory.
///
/// # Escape sequences
///
/// A wait searches the text as the console has sent it, and the [`visible`] text
/// without escape sequences: `root@vm:~# ` finds a coloured prompt. Of two
/// matches, the first counts, so a pattern for a sequence works, too.
///
/// [`visible`]: crate::visible()
pub struct SerialLog {
    pub(crate) log: Arc<Log>,
    input: Option<Arc<Mutex<Input>>>,
    /// The position of the end of the last match.
    cursor: AtomicU64,
}

/// A match found by a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match {
    /// The matched text; lines in it are separated by `\n`. Without escape
    /// sequences if only the visible text matches.
    pub text: String,
    /// The number of the line in which the match begins, starting at 1.
    pub line: u64,
}

impl SerialLog {
    /// Logs `console` with the default configuration.
    ///
    /// # Panics
    ///
    /// Panics if called outside of a tokio runtime.
    pub fn new(console: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::builder().start(console)
    }

    /// Returns a builder with the default configuration.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn from_parts(log: Arc<Log>, input: Option<Input>) -> Self {
        Self {
            log,
            input: input.map(|input| Arc::new(Mutex::new(input))),
            cursor: AtomicU64::new(0),
        }
    }

    /// Waits until `pattern` matches in the text after [the last
    /// match](Self#the-last-match).
    ///
    /// The syntax is that of the [`regex`](https://docs.rs/regex) crate. `^`
    /// and `$` match at the beginnings and ends of lines. A match may span
    /// lines, which are separated by `\n`: `.` does not match `\n`, `\s` and
    /// `(?s:.)` do. An unfinished last line is searched too, so `login: ` finds
    /// a prompt. Its end is not treated as the end of a line or of a word,
    /// because more text may follow.
    ///
    /// Each line is searched once, and the last line again as it grows. If
    /// `pattern` can match a `\n`, the last [`LOOK_BACK`](crate::LOOK_BACK)
    /// bytes are searched again when text arrives: a longer match may be missed
    /// unless it arrives in one piece.
    ///
    /// With a `timeout` of `None`, the wait lasts until the log ends. With a
    /// `timeout` of zero, only the text received so far is searched.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPattern`] without waiting; [`Error::TimedOut`];
    /// [`Error::Ended`] when the log has ended and all of it has been searched.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future leaves the cursor unchanged.
    pub async fn wait_for(&self, pattern: &str, timeout: Option<Duration>) -> Result<Match, Error> {
        let compiled = Pattern::new(pattern)?;
        let find = |text: &str, range| compiled.find(text, range);
        self.wait(pattern, compiled.rescan(), timeout, find).await
    }

    /// Waits until `find` returns a match in the text after [the last
    /// match](Self#the-last-match): like [`wait_for`](Self::wait_for), with any
    /// search function.
    ///
    /// `find` is called with that text, and again whenever text was appended;
    /// it returns the byte range of the match. If the text contains escape
    /// sequences, `find` is called once more with the visible text. The text may
    /// end with an unfinished line. Later calls omit text that was searched before, except
    /// for at least its last [`LOOK_BACK`](crate::LOOK_BACK) bytes, from the
    /// beginning of a line. `wanted` describes the search in errors.
    ///
    /// `find` blocks the waiting task, but not the log.
    ///
    /// # Errors
    ///
    /// Those of [`wait_for`](Self::wait_for), except [`Error::InvalidPattern`].
    ///
    /// # Panics
    ///
    /// Panics if the range is out of bounds or not on character boundaries. The
    /// message names the caller of this method.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future leaves the cursor unchanged.
    #[track_caller]
    pub fn wait_with(
        &self,
        wanted: &str,
        timeout: Option<Duration>,
        mut find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> impl Future<Output = Result<Match, Error>> {
        let caller = Location::caller();
        let find = move |text: &str, range: Range<usize>| {
            let from = range.start;
            let searched = &text[range];
            let found = find(searched)?;
            matched(searched, found.clone(), wanted, caller);
            Some(from + found.start..from + found.end)
        };
        self.wait(wanted, Rescan::LookBack, timeout, find)
    }

    async fn wait(
        &self,
        wanted: &str,
        rescan: Rescan,
        timeout: Option<Duration>,
        find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
    ) -> Result<Match, Error> {
        let found = wait(&self.log, &self.cursor, rescan, timeout, find).await;
        let found = found.map_err(|error| self.describe(wanted, error))?;
        Ok(Match {
            text: found.text,
            line: found.line,
        })
    }

    /// Adds the last lines to the reason why a wait failed.
    fn describe(&self, wanted: &str, error: WaitError) -> Error {
        let wanted = wanted.to_owned();
        let last_lines = self.log.shown_lines();
        match error {
            WaitError::TimedOut(timeout) => Error::TimedOut {
                wanted,
                timeout,
                last_lines,
            },
            WaitError::Ended(ending) => Error::Ended {
                wanted,
                ending,
                last_lines,
            },
        }
    }

    /// Returns the text that arrives from now on.
    pub fn follow(&self) -> Follow {
        Follow::new(Arc::clone(&self.log))
    }

    /// Returns the text from the beginning of the log on, or from the oldest text
    /// in memory if the beginning has been evicted.
    pub fn follow_from_start(&self) -> Follow {
        Follow::since(Arc::clone(&self.log), 0)
    }

    /// Writes `bytes` to the console, as if typed.
    ///
    /// Waits until the guest accepts them. Concurrent writes are not
    /// interleaved.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] without an [input](Builder::input);
    /// [`Error::Write`] if the write fails.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped, a part of `bytes` may have been
    /// written.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        let input = self.input.as_ref().ok_or(Error::ReadOnly)?;
        let mut input = input.lock().await;
        let written = async {
            input.write_all(bytes).await?;
            input.flush().await
        };
        written.await.map_err(|e| Error::Write(Arc::new(e)))
    }

    /// Returns the log: up to its last GiB from disk if it is
    /// [spooled](Builder::spool), otherwise the part in memory.
    ///
    /// Control characters and escape sequences are unchanged; see
    /// [`printable`](crate::printable()).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; a disk read in progress continues in the background.
    pub async fn text(&self) -> LogText {
        let log = Arc::clone(&self.log);
        match tokio::task::spawn_blocking(move || log.text()).await {
            Ok(text) => text,
            // The runtime is shutting down, so blocking it is harmless.
            Err(_) => self.log.text(),
        }
    }

    /// Returns up to `count` of the last lines in memory, oldest first,
    /// including an unfinished last line.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        self.log.last_lines(count)
    }

    /// Returns the error of the first failed write to disk, if any. After it,
    /// the log is kept in memory only.
    pub fn spool_error(&self) -> Option<Arc<io::Error>> {
        self.log.spool_error()
    }

    /// Waits until the log ends, and returns the reason.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) -> Ending {
        let mut progress = self.log.progress();
        let ended = progress.wait_for(|progress| progress.ended.is_some()).await;
        // `self.log` holds the sender, so `wait_for` does not fail.
        ended
            .ok()
            .and_then(|p| p.ended.clone())
            .unwrap_or(Ending::Stopped)
    }
}

/// The clone waits from the same position on, independently.
impl Clone for SerialLog {
    fn clone(&self) -> Self {
        Self {
            log: Arc::clone(&self.log),
            input: self.input.clone(),
            cursor: AtomicU64::new(self.cursor.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for SerialLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.log.progress();
        let progress = progress.borrow();
        f.debug_struct("SerialLog")
            .field("bytes", &progress.end)
            .field("ended", &progress.ended)
            .finish_non_exhaustive()
    }
}

/// What a caller's search for `wanted` has found in `searched`.
pub(crate) fn matched<'a>(
    searched: &'a str,
    found: Range<usize>,
    wanted: &str,
    caller: &Location<'_>,
) -> &'a str {
    searched.get(found.clone()).unwrap_or_else(|| {
        panic!(
            "the search for `{wanted}`, begun at {caller}, has returned {found:?}, which is not \
             a range of the searched text: it has {} bytes, or a bound is within a character",
            searched.len()
        )
    })
}
