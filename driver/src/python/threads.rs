//! Threads of a script other than Python's main thread.

use std::future::pending;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use pyo3::prelude::*;
use tokio::sync::watch;

/// Python's main thread.
static MAIN: OnceLock<ThreadId> = OnceLock::new();

/// Makes the calling thread the main thread.
pub(super) fn set_main() {
    // There is one run per process.
    MAIN.get_or_init(|| thread::current().id());
}

/// Cancels operations of machines in threads other than the main thread, as long as it is
/// set.
#[pyfunction]
pub(super) fn cancel_threads(cancel: bool) {
    is_cancelled().send_replace(cancel);
}

/// Returns when the operations of the calling thread are to be cancelled.
pub(super) fn cancelled() -> impl Future<Output = ()> {
    let is_main = MAIN.get() == Some(&thread::current().id());
    let mut receiver = is_cancelled().subscribe();
    async move {
        // The sender is never dropped.
        if is_main || receiver.wait_for(|cancel| *cancel).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// The exception that ends a cancelled operation.
pub(super) fn exception() -> PyErr {
    Python::attach(|py| {
        let errors = py.import("test_driver.errors");
        let class = errors.and_then(|errors| errors.getattr("Cancelled")?.call0());
        class.map_or_else(|error| error, PyErr::from_value)
    })
}

fn is_cancelled() -> &'static watch::Sender<bool> {
    static CANCELLED: OnceLock<watch::Sender<bool>> = OnceLock::new();
    CANCELLED.get_or_init(|| watch::Sender::new(false))
}
