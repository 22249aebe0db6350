//! Configuration of a console log.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::{Input, SerialLog};
use crate::log::Log;
use crate::reader::{OnLine, Reader};
use crate::spool::Spool;

/// How much text is kept in memory by default, in bytes.
const MEMORY: usize = 16 << 20;

/// The minimum: a few times the size of one read.
const LEAST_MEMORY: usize = 1 << 20;

/// Configures a [`SerialLog`]; created by [`SerialLog::builder`].
#[must_use]
pub struct Builder {
    memory: usize,
    spool: Option<Spool>,
    input: Option<Input>,
    on_line: Option<OnLine>,
    /// What the terminal shows after so many bytes.
    screen: Option<(String, usize)>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            memory: MEMORY,
            spool: None,
            input: None,
            on_line: None,
            screen: None,
        }
    }

    /// Keeps at most `bytes` of text in memory: 16 MiB by default, at least
    /// 1 MiB. When the memory is full, the oldest quarter is evicted.
    ///
    /// Each running wait holds a copy of the text it has not searched yet, of
    /// at most the same size.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes.max(LEAST_MEMORY);
        self
    }

    /// Also keeps the whole log on disk.
    ///
    /// The reading task writes text to disk before waits can see it, so a slow
    /// disk delays this console. If a write fails (for example because no space
    /// is left), the log continues in memory only, and
    /// [`SerialLog::spool_error`] returns the reason.
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// Sets the writer used by [`SerialLog::send`]. It is dropped with the last
    /// handle.
    pub fn input(mut self, input: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.input = Some(Box::new(input));
        self
    }

    /// Calls `on_line` for every line, in order, before waits can find it.
    ///
    /// The reading task calls it and continues only after it returns, so it
    /// must not block. It may use a handle of this log, but not wait on it.
    pub fn on_line(mut self, on_line: impl FnMut(&str) + Send + 'static) -> Self {
        self.on_line = Some(Box::new(on_line));
        self
    }

    /// Sets what the terminal's screen shows after the first `bytes` bytes of the console,
    /// which it does not show: the [state](SerialLog::screen_state) of an earlier log, say,
    /// whose text the console begins with.
    pub fn screen(mut self, state: impl Into<String>, bytes: usize) -> Self {
        self.screen = Some((state.into(), bytes));
        self
    }

    /// Starts logging `console`.
    ///
    /// # Panics
    ///
    /// Panics if called outside of a tokio runtime.
    pub fn start(self, console: impl AsyncRead + Send + Unpin + 'static) -> SerialLog {
        let log = Arc::new(Log::new(self.memory, self.spool));
        let (state, shown) = self.screen.unwrap_or_default();
        log.with_terminal(|terminal| terminal.set_state(&state));
        let reader = Reader::new(Arc::clone(&log), self.on_line, shown);
        tokio::spawn(reader.run(console));
        SerialLog::from_parts(log, self.input)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("memory", &self.memory)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}
