//! The end of a run whose script continues after its time limit.

use std::future::pending;
use std::process;
use std::time::Duration;

use machine::report::{Failure, Outcome};
use pyo3::prelude::*;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::log;
use super::waiting::runtime;
use crate::sync::Mutex;

/// Time limit for cleaning up after the time limit has expired.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(30);

/// Time limit for printing the stacks of Python's threads if the clean-up takes too long.
const STACK_DUMP: Duration = Duration::from_secs(10);

/// The task that ends the process.
static END: Mutex<Option<AbortHandle>> = Mutex::new(None);

/// Ends the process if the script continues after its time limit in seconds, for instance
/// because it catches all exceptions or calls a library function that never returns.
#[pyfunction]
pub(super) fn end_after(limit: f64, code: u8) {
    let limit = Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX);
    let limit = limit.saturating_add(CLEAN_UP).saturating_add(STACK_DUMP);
    let task = runtime().spawn(async move {
        let _ = timeout(limit, pending::<()>()).await;
        end(code);
    });
    replace(Some(task.abort_handle()));
}

/// Revokes [`end_after`].
#[pyfunction]
pub(super) fn cancel_end() {
    replace(None);
}

fn replace(task: Option<AbortHandle>) {
    let mut current = END.lock();
    if let Some(earlier) = std::mem::replace(&mut *current, task) {
        earlier.abort();
    }
}

fn end(code: u8) -> ! {
    let message = "the script did not end after its time limit";
    tracing::error!("{message}");
    let failure = Failure::new(message, None, false);
    if let Some(report) = log::report() {
        if let Err(error) = report.write_junit(&failure) {
            tracing::error!("{error}");
        }
        report.end(Outcome::TimedOut, Some(failure), None);
    }
    process::exit(code.into());
}
