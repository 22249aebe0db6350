//! Work that blocks, off the async runtime.

use tracing::dispatcher;

/// Runs blocking work on a thread for it, with the present subscriber.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let subscriber = dispatcher::get_default(Clone::clone);
    let work = move || dispatcher::with_default(&subscriber, work);
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
