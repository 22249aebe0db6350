//! Work that blocks, off the async runtime.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, dispatcher};

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

/// Runs an operation that may block on a thread for it. If this future is dropped, the
/// operation is dropped on that thread, too.
pub(crate) async fn blocking_async<T: Send + 'static>(
    operation: impl Future<Output = T> + Send + 'static,
) -> T {
    let dropped = CancellationToken::new();
    let _guard = dropped.clone().drop_guard();
    let operation = operation.in_current_span();
    let done = blocking(move || {
        let operation = dropped.run_until_cancelled_owned(operation);
        Handle::current().block_on(operation)
    });
    match done.await {
        Some(value) => value,
        // Cancelled, so nothing waits for it.
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::{self, ThreadId};

    use super::*;

    /// Sends the thread on which it is dropped.
    struct Dropped(Sender<ThreadId>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[tokio::test]
    async fn an_operation_is_dropped_on_its_thread() {
        let (sender, dropped) = channel();
        let (started, starts) = tokio::sync::oneshot::channel();
        let operation = blocking_async(async move {
            let _value = Dropped(sender);
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            () = operation => panic!("it ended"),
            started = starts => started.unwrap(),
        }
        let thread = dropped.recv().unwrap();
        assert_ne!(thread, thread::current().id());
    }
}
