//! A log as it grows.

use std::sync::Arc;

use crate::log::Log;

/// What comes on a console, as it comes; made by
/// [`SerialLog::follow`](crate::SerialLog::follow).
#[derive(Debug)]
pub struct Follow {
    log: Arc<Log>,
    position: u64,
}

impl Follow {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        let position = log.progress().borrow().end;
        Self { log, position }
    }

    /// Waits for more of the console's text and gives all there is; `None` when
    /// nothing more comes.
    ///
    /// It may begin and end within a line. What has fallen out of memory
    /// meanwhile is left out.
    ///
    /// # Cancel safety
    ///
    /// Safe: text that was not given yet is given next time.
    pub async fn next(&mut self) -> Option<String> {
        let mut progress = self.log.progress();
        let position = self.position;
        let change = progress.wait_for(|now| now.end > position || now.ended.is_some());
        // The log holds the sender, so that there is one.
        let end = change.await.ok()?.end;
        if end <= self.position {
            return None;
        }
        let (text, end) = self.log.since(self.position);
        self.position = end;
        Some(text)
    }
}
