//! Waiting for a match in a log.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Ending;
use crate::log::{Log, Progress};
use crate::search::{Found, Rescan};

/// Why a wait failed.
#[derive(Debug)]
pub(crate) enum WaitError {
    TimedOut(Duration),
    Ended(Ending),
}

/// Waits until `find` returns a match in the text after `cursor`, and moves the
/// cursor to its end, but never backwards.
///
/// All text received before the timeout or the log's end is searched before the
/// wait fails.
pub(crate) async fn wait(
    log: &Log,
    cursor: &AtomicU64,
    rescan: Rescan,
    timeout: Option<Duration>,
    mut find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
) -> Result<Found, WaitError> {
    let deadline = timeout.and_then(|t| Some((t, Instant::now().checked_add(t)?)));
    let mut progress = log.progress();
    let mut window = log.window(cursor.load(Ordering::Relaxed), rescan);
    loop {
        // Before the search, so that text arriving during it wakes us.
        let Progress { end, ended } = progress.borrow_and_update().clone();
        loop {
            log.fill(&mut window);
            if let Some(found) = window.search(&mut find) {
                cursor.fetch_max(found.end, Ordering::Relaxed);
                return Ok(found);
            }
            if window.end() >= end {
                break;
            }
            // A long backlog is searched in pieces, so other tasks can run.
            tokio::task::yield_now().await;
        }
        if let Some(ending) = ended {
            return Err(WaitError::Ended(ending));
        }
        // Results are ignored: `log` holds the sender, and after a timeout the
        // remaining text is searched first.
        match deadline {
            Some((timeout, deadline)) if Instant::now() >= deadline => {
                return Err(WaitError::TimedOut(timeout));
            }
            Some((_, deadline)) => _ = timeout_at(deadline, progress.changed()).await,
            None => _ = progress.changed().await,
        }
    }
}
