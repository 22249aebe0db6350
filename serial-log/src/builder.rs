//! How a console is to be logged.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::{Input, SerialLog};
use crate::log::Log;
use crate::reader::{OnLine, Reader};
use crate::spool::Spool;

/// How much text is kept in memory by default, in bytes.
const MEMORY: usize = 16 << 20;

/// The least that is: a few times what one read can bring.
const LEAST_MEMORY: usize = 1 << 20;

/// How a console is to be logged; made by [`SerialLog::builder`].
#[must_use]
pub struct Builder {
    memory: usize,
    spool: Option<Spool>,
    input: Option<Input>,
    on_line: Option<OnLine>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            memory: MEMORY,
            spool: None,
            input: None,
            on_line: None,
        }
    }

    /// Keeps at most `bytes` of text in memory: 16 MiB by default, 1 MiB at
    /// least. When they are full, the oldest quarter goes.
    ///
    /// A wait that runs has a copy of what it has yet to search, of at most
    /// the same size.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes.max(LEAST_MEMORY);
        self
    }

    /// Keeps the whole log on disk as well.
    ///
    /// Whatever a read from the console brought is written before anybody sees
    /// it, by the reading task itself: a disk that stalls holds up this
    /// console. If writing fails (no space left, say), the log goes on in
    /// memory only, and [`SerialLog::spool_error`] says why.
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// What [`SerialLog::send`] writes to. Closed when the last handle is
    /// dropped.
    pub fn input(mut self, input: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.input = Some(Box::new(input));
        self
    }

    /// Calls `on_line` for every line, in order, before waits can find it.
    ///
    /// The reading task calls it and does not go on before it returns, so it
    /// must not block. It may use a handle of this log, but not wait on one.
    pub fn on_line(mut self, on_line: impl FnMut(&str) + Send + 'static) -> Self {
        self.on_line = Some(Box::new(on_line));
        self
    }

    /// Begins to log `console`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self, console: impl AsyncRead + Send + Unpin + 'static) -> SerialLog {
        let log = Arc::new(Log::new(self.memory, self.spool));
        let reader = Reader::new(Arc::clone(&log), self.on_line);
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
