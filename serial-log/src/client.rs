//! A console that is being logged.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::builder::Builder;
use crate::error::{Ending, Error};
use crate::follow::Follow;
use crate::log::{Log, LogText};
use crate::search::{Again, Pattern};
use crate::wait::{GaveUp, wait};

/// The writing half of a console.
pub(crate) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// A console that is being logged: a handle, cheap to clone.
///
/// A task of its own reads the console from the start to its end, also when
/// nobody waits and no handle is left, so the guest is never held up by a full
/// pipe. What it keeps in memory is bounded (see [`Builder::memory`]).
///
/// # The last match
///
/// A log has one cursor: the end of the last match. A wait searches what came
/// since then. If it finds something, the cursor moves behind that; if it
/// fails or is dropped, the cursor stays. Waits at the same time take nothing
/// from each other: each searches from where the cursor was when it began, two
/// may find the same text, and the cursor ends up behind the later of their
/// matches.
///
/// Text that has fallen out of memory can't be found any more.
#[derive(Clone)]
pub struct SerialLog {
    log: Arc<Log>,
    input: Option<Arc<Mutex<Input>>>,
}

/// What a wait found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The matched text; lines in it are separated by `\n`.
    pub text: String,
    /// The number of the line in which it begins; the console's first is 1.
    pub line: u64,
}

impl SerialLog {
    /// Logs `console` with everything else left at its default.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(console: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::builder().start(console)
    }

    /// Logs a console as the builder is told.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn from_parts(log: Arc<Log>, input: Option<Input>) -> Self {
        Self {
            log,
            input: input.map(|input| Arc::new(Mutex::new(input))),
        }
    }

    /// Waits until `pattern` matches in what came since [the last
    /// match](Self#the-last-match).
    ///
    /// The syntax is that of the [`regex`](https://docs.rs/regex) crate. `^`
    /// and `$` match at the beginnings and ends of lines. A match may span
    /// lines, which are separated by `\n`: `.` does not match that, `\s` and
    /// `(?s:.)` do. The last line counts as far as it has come, so `login: `
    /// finds a prompt; its end is not the end of a line, though, nor that of a
    /// word, because more may come at any time.
    ///
    /// Each line is searched once, and the last line again as it grows. If
    /// `pattern` can match a `\n`, the last [`LOOK_BACK`](crate::LOOK_BACK)
    /// bytes are searched again with whatever arrives: a longer match may be
    /// missed unless it arrives in one piece.
    ///
    /// `None` waits for as long as the log goes on. With a time of zero only
    /// what has come already is searched.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPattern`] at once; [`Error::TimedOut`];
    /// [`Error::Ended`] when the log ends, after all that came was searched.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing has been consumed.
    pub async fn wait_for(&self, pattern: &str, timeout: Option<Duration>) -> Result<Match, Error> {
        let compiled = Pattern::new(pattern)?;
        let find = |text: &str, range| compiled.find(text, range);
        self.wait(pattern, compiled.again(), timeout, find).await
    }

    /// Waits until `find` finds something in what came since [the last
    /// match](Self#the-last-match): [`wait_for`](Self::wait_for) for other
    /// ways to search.
    ///
    /// `find` is called with that text, and again, with the same and more,
    /// when more has come; it returns the range of bytes that matched. Behind
    /// the text's last `\n` stands the last line as far as it has come. Text
    /// that has been searched is left out next time but for its last
    /// [`LOOK_BACK`](crate::LOOK_BACK) bytes or more, from the beginning of a
    /// line. `wanted` says in errors what is waited for.
    ///
    /// The log goes on while `find` runs, however long it takes; the task that
    /// waits does not.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    ///
    /// # Panics
    ///
    /// If the range is not one of the text, or cuts a character.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing has been consumed.
    pub async fn wait_with(
        &self,
        wanted: &str,
        timeout: Option<Duration>,
        mut find: impl FnMut(&str) -> Option<Range<usize>>,
    ) -> Result<Match, Error> {
        let find = |text: &str, range: Range<usize>| {
            let from = range.start;
            let found = find(&text[range])?;
            Some(from + found.start..from + found.end)
        };
        self.wait(wanted, Again::LookBack, timeout, find).await
    }

    async fn wait(
        &self,
        wanted: &str,
        again: Again,
        timeout: Option<Duration>,
        find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
    ) -> Result<Match, Error> {
        let found = wait(&self.log, again, timeout, find).await;
        let found = found.map_err(|gave_up| self.gave_up(wanted, gave_up))?;
        Ok(Match {
            text: found.text,
            line: found.line,
        })
    }

    fn gave_up(&self, wanted: &str, gave_up: GaveUp) -> Error {
        let wanted = wanted.to_owned();
        let last_lines = self.log.shown_lines();
        match gave_up {
            GaveUp::TimedOut(timeout) => Error::TimedOut {
                wanted,
                timeout,
                last_lines,
            },
            GaveUp::Ended(ending) => Error::Ended {
                wanted,
                ending,
                last_lines,
            },
        }
    }

    /// What comes from now on, as it comes.
    pub fn follow(&self) -> Follow {
        Follow::new(Arc::clone(&self.log))
    }

    /// Writes `bytes` to the console, as if typed.
    ///
    /// Waits while the guest does not take them. Two writes at the same time
    /// do not mix.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] without an [input](Builder::input);
    /// [`Error::Write`] if writing fails.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a part of `bytes` may have been written.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        let input = self.input.as_ref().ok_or(Error::ReadOnly)?;
        let mut input = input.lock().await;
        let written = async {
            input.write_all(bytes).await?;
            input.flush().await
        };
        written.await.map_err(|e| Error::Write(Arc::new(e)))
    }

    /// The whole log: from disk if it is [spooled](Builder::spool), the last GiB of
    /// that, else as much as is in memory.
    ///
    /// Control characters and escape sequences are in it as they came; see
    /// [`printable`](crate::printable()).
    ///
    /// # Cancel safety
    ///
    /// Safe; a read of the disk that has begun goes on in the background.
    pub async fn text(&self) -> LogText {
        let log = Arc::clone(&self.log);
        match tokio::task::spawn_blocking(move || log.text()).await {
            Ok(text) => text,
            // The runtime is going down, so this is no time to spare it.
            Err(_) => self.log.text(),
        }
    }

    /// The last `count` lines, oldest first, as far as they are in memory; the
    /// last line is among them as far as it has come.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        self.log.last_lines(count)
    }

    /// Why the log could not be written to disk, if so. From then on it is
    /// kept in memory only.
    pub fn spool_error(&self) -> Option<Arc<io::Error>> {
        self.log.spool_error()
    }

    /// Waits until no more comes, and says why.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&self) -> Ending {
        let mut progress = self.log.progress();
        let ended = progress.wait_for(|progress| progress.ended.is_some()).await;
        // The log holds the sender, so neither of the two can be missing.
        ended
            .ok()
            .and_then(|p| p.ended.clone())
            .unwrap_or(Ending::Stopped)
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
