//! A log as a stream of text.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio_stream::wrappers::WatchStream;

use crate::log::{Log, Progress};

/// The text of a console as it arrives, from
/// [`SerialLog::follow`](crate::SerialLog::follow) or
/// [`SerialLog::follow_from_start`](crate::SerialLog::follow_from_start).
///
/// Items may begin and end within a line. Unlike the log, the stream contains
/// only newlines that the console has sent: long lines are not split, and an
/// unfinished last line remains unfinished. Text evicted from memory before it
/// was read is skipped. The stream ends when the log has ended and all of it was returned.
#[derive(Debug)]
pub struct Follow {
    log: Arc<Log>,
    position: u64,
    progress: WatchStream<Progress>,
    ended: bool,
}

impl Follow {
    /// Follows from now on.
    pub(crate) fn new(log: Arc<Log>) -> Self {
        let position = log.progress().borrow().end;
        Self::since(log, position)
    }

    pub(crate) fn since(log: Arc<Log>, position: u64) -> Self {
        let progress = log.progress();
        Self {
            log,
            position,
            progress: WatchStream::new(progress),
            ended: false,
        }
    }
}

impl Stream for Follow {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<String>> {
        loop {
            let (text, end) = self.log.sent_since(self.position);
            self.position = end;
            if !text.is_empty() {
                return Poll::Ready(Some(text));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            // Text is appended before the log ends, so the text is complete if
            // it is read after this.
            match ready!(Pin::new(&mut self.progress).poll_next(cx)) {
                Some(Progress { ended: None, .. }) => {}
                Some(_) | None => self.ended = true,
            }
        }
    }
}
