//! The task that reads a console.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::codec::Decoder as _;

use crate::codec::{Event, LineCodec};
use crate::error::Ending;
use crate::log::Log;

/// As much as a pipe holds.
const READ_SIZE: usize = 64 * 1024;

/// Called for every line.
pub(crate) type OnLine = Box<dyn FnMut(&str) + Send>;

pub(crate) struct Reader {
    log: Arc<Log>,
    on_line: Option<OnLine>,
    codec: LineCodec,
    /// What has been decoded and is not in the log yet.
    new: String,
    /// How much of the unfinished line is in the log, or in `new`.
    logged: usize,
}

impl Reader {
    pub(crate) fn new(log: Arc<Log>, on_line: Option<OnLine>) -> Self {
        Self {
            log,
            on_line,
            codec: LineCodec::new(),
            new: String::new(),
            logged: 0,
        }
    }

    /// Reads until the console ends. Waits for nobody but the console, the
    /// disk and the caller's `on_line`.
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
            // A console that always has more must not starve the other tasks.
            tokio::task::consume_budget().await;
            bytes.reserve(READ_SIZE);
            let read = console.read_buf(&mut bytes).await;
            if matches!(read, Ok(n) if n > 0) {
                while let Some(event) = self.codec.decode(&mut bytes)? {
                    self.take(event);
                }
                self.log_new();
                continue;
            }
            while let Some(event) = self.codec.decode_eof(&mut bytes)? {
                self.take(event);
            }
            self.log_new();
            return read.map(drop);
        }
    }

    fn take(&mut self, event: Event) {
        let Event::Line(line) = event else {
            return;
        };
        if let Some(on_line) = &mut self.on_line {
            on_line(&line);
        }
        self.new.push_str(&line[self.logged..]);
        self.new.push('\n');
        self.logged = 0;
    }

    /// Puts what has been decoded into the log, in one go: one lock, one write
    /// and one wake-up for all that a read brought.
    fn log_new(&mut self) {
        let partial = self.codec.partial();
        self.new.push_str(&partial[self.logged..]);
        self.logged = partial.len();
        if !self.new.is_empty() {
            self.log.append(&self.new);
            self.new.clear();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // If the task was ended from outside: nobody shall wait for ever.
        self.log.end(Ending::Stopped);
    }
}
