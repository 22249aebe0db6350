//! Waiting for something to appear in a log.

use std::ops::Range;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Ending;
use crate::log::{Log, Progress};
use crate::search::{Again, Found};

/// Why a wait gave up.
#[derive(Debug)]
pub(crate) enum GaveUp {
    TimedOut(Duration),
    Ended(Ending),
}

/// Waits until `find` finds something in what came since the last match, and
/// consumes it.
///
/// Everything that came before the time was over or the log ended is searched
/// before the wait gives up. Sleeps until something arrives.
pub(crate) async fn wait(
    log: &Log,
    again: Again,
    timeout: Option<Duration>,
    mut find: impl FnMut(&str, Range<usize>) -> Option<Range<usize>>,
) -> Result<Found, GaveUp> {
    let deadline = timeout.and_then(|t| Some((t, Instant::now().checked_add(t)?)));
    let mut progress = log.progress();
    let mut window = log.window(again);
    loop {
        // Before the search: what arrives during it brings us back here.
        let Progress { end, ended } = progress.borrow_and_update().clone();
        loop {
            log.fill(&mut window);
            if let Some(found) = window.search(&mut find) {
                log.consume(found.end);
                return Ok(found);
            }
            if window.end() >= end {
                break;
            }
            // A long backlog is searched in pieces: others get their turn.
            tokio::task::yield_now().await;
        }
        if let Some(ending) = ended {
            return Err(GaveUp::Ended(ending));
        }
        // Neither the sender's end (the log holds it) nor a time-out ends the
        // wait right here: first the rest is searched.
        match deadline {
            Some((timeout, deadline)) if Instant::now() >= deadline => {
                return Err(GaveUp::TimedOut(timeout));
            }
            Some((_, deadline)) => _ = timeout_at(deadline, progress.changed()).await,
            None => _ = progress.changed().await,
        }
    }
}
