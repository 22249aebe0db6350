//! Work that is not cancelled with the future that waits for it.

use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;

/// Runs `operation` to completion, even if this future is dropped.
pub(crate) async fn to_completion<T: Send + 'static>(
    operation: impl Future<Output = T> + Send + 'static,
) -> T {
    let operation = operation.in_current_span().with_current_subscriber();
    match tokio::spawn(operation).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
