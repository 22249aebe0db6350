//! The task that reads a console.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::codec::Decoder as _;

use crate::codec::{Event, LineCodec};
use crate::error::Ending;
use crate::log::Log;

/// The capacity of a pipe.
const READ_SIZE: usize = 64 * 1024;

/// Called for every line.
pub(crate) type OnLine = Box<dyn FnMut(&str) + Send>;

pub(crate) struct Reader {
    log: Arc<Log>,
    on_line: Option<OnLine>,
    codec: LineCodec,
    /// Decoded text that is not in the log yet.
    new: String,
    /// The indices of newlines in `new` that the console has not sent.
    added: Vec<usize>,
    /// How many of the next bytes the terminal shows already.
    shown: usize,
    /// How many bytes of the unfinished line are in the log or in `new`.
    logged: usize,
}

impl Reader {
    /// The terminal shows the first `shown` bytes already.
    pub(crate) fn new(log: Arc<Log>, on_line: Option<OnLine>, shown: usize) -> Self {
        Self {
            log,
            on_line,
            codec: LineCodec::new(),
            new: String::new(),
            added: Vec::new(),
            shown,
            logged: 0,
        }
    }

    /// Reads until the console ends. Waits only for the console, the disk and
    /// `on_line`.
    pub(crate) async fn run(mut self, console: impl AsyncRead + Unpin) {
        let ending = match self.read(console).await {
            Ok(()) => Ending::Closed,
            Err(error) => Ending::Failed(Arc::new(error)),
        };
        self.log.end(ending);
    }

    async fn read(&mut self, mut console: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        loop {
            // A console that is always readable must not starve other tasks.
            tokio::task::consume_budget().await;
            bytes.reserve(READ_SIZE);
            let before = bytes.len();
            let read = console.read_buf(&mut bytes).await;
            if matches!(read, Ok(n) if n > 0) {
                self.show(&bytes[before..]);
                while let Some(event) = self.codec.decode(&mut bytes)? {
                    self.take(event, false);
                }
                self.log_new();
                continue;
            }
            while let Some(event) = self.codec.decode_eof(&mut bytes)? {
                self.take(event, true);
            }
            self.log_new();
            return read.map(drop);
        }
    }

    /// Shows bytes on the terminal, before waits are notified of them.
    fn show(&mut self, bytes: &[u8]) {
        let skipped = self.shown.min(bytes.len());
        self.shown -= skipped;
        let new = &bytes[skipped..];
        if !new.is_empty() {
            self.log.with_terminal(|terminal| terminal.push(new));
        }
    }

    /// Takes a line. At the end of the console, it is the unfinished one.
    fn take(&mut self, event: Event, at_end: bool) {
        let (line, is_sent) = match event {
            Event::Line(line) => (line, !at_end),
            Event::Piece(line) => (line, false),
            Event::Partial => return,
        };
        self.new.push_str(&line[self.logged..]);
        if !is_sent {
            self.added.push(self.new.len());
        }
        self.new.push('\n');
        self.logged = 0;
        if let Some(on_line) = &mut self.on_line {
            on_line(&line);
        }
    }

    /// Appends the decoded text to the log: one lock, one write and one wake-up
    /// per read.
    fn log_new(&mut self) {
        let partial = self.codec.partial();
        self.new.push_str(&partial[self.logged..]);
        self.logged = partial.len();
        if !self.new.is_empty() {
            self.log.append(&self.new, &self.added);
            self.new.clear();
            self.added.clear();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // If the task was cancelled or panics, waits must not block forever.
        self.log_new();
        self.log.end(if std::thread::panicking() {
            Ending::Panicked
        } else {
            Ending::Stopped
        });
    }
}
