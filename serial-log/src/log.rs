//! The log shared by the reader and the handles.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::error::{Ending, SHOWN_LINES, excerpt};
use crate::history::History;
use crate::search::{Rescan, Window};
use crate::spool::Spool;
use crate::terminal::Terminal;

/// The maximum returned from disk, in bytes: a guest may have written any
/// amount.
const MAX_TEXT: u64 = 1 << 30;

/// The log in memory and on disk, and a notification for new text.
pub(crate) struct Log {
    /// Locked only to copy text, never during a search or across an `await`.
    state: Mutex<State>,
    /// Locked only to draw on it.
    terminal: Mutex<Terminal>,
    spool: Option<Spool>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct State {
    history: History,
    /// How many bytes of the log are on disk.
    spooled: u64,
    spool_error: Option<Arc<io::Error>>,
}

/// The progress of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The position of the next byte to be appended.
    pub(crate) end: u64,
    /// Set once the log has ended.
    pub(crate) ended: Option<Ending>,
}

/// The log as returned by [`SerialLog::text`](crate::SerialLog::text).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogText {
    /// Lines terminated by `\n`, then an unfinished line.
    pub text: String,
    /// The number of missing bytes: those neither on disk nor in memory, and
    /// those on disk before the last GiB.
    pub missing: u64,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    pub(crate) fn new(memory: usize, spool: Option<Spool>) -> Self {
        Self {
            state: Mutex::new(State {
                history: History::new(memory),
                spooled: 0,
                spool_error: None,
            }),
            terminal: Mutex::new(Terminal::new()),
            spool,
            progress: watch::Sender::default(),
        }
    }

    /// Appends `new` and wakes the waits. Writes to disk first, so that all text
    /// visible in memory is also on disk. `added` are the indices of newlines in
    /// `new` that the console has not sent.
    pub(crate) fn append(&self, new: &str, added: &[usize]) {
        let spooled = self.spool(new);
        let end = {
            let mut state = self.state();
            match spooled {
                Some(Ok(())) => state.spooled += new.len() as u64,
                Some(Err(error)) => state.spool_error = Some(Arc::new(error)),
                None => {}
            }
            state.history.append(new, added);
            state.history.end()
        };
        self.progress.send_modify(|progress| progress.end = end);
    }

    /// Writes to the spool, if there is one. Skipped after a failed write, which
    /// would leave a gap in the file.
    fn spool(&self, new: &str) -> Option<io::Result<()>> {
        let spool = self.spool.as_ref()?;
        self.spool_error().is_none().then(|| spool.append(new))
    }

    /// Ends the log; only the first reason is kept.
    pub(crate) fn end(&self, ending: Ending) {
        self.progress.send_if_modified(|progress| {
            let first = progress.ended.is_none();
            progress.ended.get_or_insert(ending);
            first
        });
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Creates a window on the text from `position` on.
    pub(crate) fn window(&self, position: u64, rescan: Rescan) -> Window {
        Window::new(&self.state().history, position, rescan)
    }

    pub(crate) fn fill(&self, window: &mut Window) {
        window.fill(&self.state().history);
    }

    /// The text that the console has sent from `position` on, as far as it is in
    /// memory, and the position of its end.
    pub(crate) fn sent_since(&self, position: u64) -> (String, u64) {
        let state = self.state();
        (state.history.sent_since(position), state.history.end())
    }

    pub(crate) fn spool_error(&self) -> Option<Arc<io::Error>> {
        self.state().spool_error.clone()
    }

    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let state = self.state();
        let lines = state.history.last_lines(count);
        lines.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn with_terminal<T>(&self, use_it: impl FnOnce(&mut Terminal) -> T) -> T {
        // A panic while it was locked leaves a terminal.
        let terminal = self.terminal.lock();
        use_it(&mut terminal.unwrap_or_else(PoisonError::into_inner))
    }

    /// The last lines, or the screen that they draw, formatted for an error.
    pub(crate) fn shown_lines(&self) -> Vec<String> {
        if let Some(rows) = self.with_terminal(Terminal::drawn_rows) {
            return rows.iter().map(|row| excerpt(row)).collect();
        }
        let state = self.state();
        let lines = state.history.last_lines(SHOWN_LINES);
        lines.into_iter().map(excerpt).collect()
    }

    /// Reads the spooled part from disk and the rest from memory; all of it from
    /// memory if the disk cannot be read. Blocks.
    pub(crate) fn text(&self) -> LogText {
        self.text_limited(MAX_TEXT)
    }

    /// Like `text`, with at most `limit` bytes from disk.
    fn text_limited(&self, limit: u64) -> LogText {
        let (spooled, rest) = {
            let state = self.state();
            (state.spooled, state.text_from(state.spooled))
        };
        let Some(spool) = self.spool.as_ref().filter(|_| spooled > 0) else {
            return rest;
        };
        let start = spooled.saturating_sub(limit);
        match spool.read(start..spooled) {
            Ok(text) => LogText {
                text: text + &rest.text,
                missing: start + rest.missing,
            },
            Err(_) => self.state().text_from(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was locked leaves it consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn text_from(&self, position: u64) -> LogText {
        LogText {
            text: self.history.since(position).to_owned(),
            missing: self.history.start().saturating_sub(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::{Log, LogText};
    use crate::spool::Spool;

    #[test]
    fn continues_in_memory_when_the_disk_is_full() {
        let log = Log::new(1 << 20, Some(Spool::full()));
        log.append("one\n", &[]);
        log.append("two\n", &[]);
        assert_eq!(
            log.spool_error().unwrap().kind(),
            io::ErrorKind::StorageFull
        );
        let text = "one\ntwo\n".to_owned();
        assert_eq!(log.text(), LogText { text, missing: 0 });
    }

    #[test]
    fn joins_disk_and_memory() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(12, Some(Spool::create(dir.path().join("log")).unwrap()));
        log.append("one\ntwo\n", &[]);
        log.state().spool_error = Some(Arc::new(io::ErrorKind::StorageFull.into()));
        log.append("three\n", &[]);
        log.append("four\n", &[]);
        let text = "one\ntwo\nthree\nfour\n".to_owned();
        assert_eq!(log.text(), LogText { text, missing: 0 });

        log.append("five\n", &[]);
        let text = "one\ntwo\nfour\nfive\n".to_owned();
        assert_eq!(log.text(), LogText { text, missing: 6 });

        let text = "two\nfour\nfive\n".to_owned();
        assert_eq!(log.text_limited(4), LogText { text, missing: 10 });
    }
}
