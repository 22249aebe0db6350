//! The clients with a scripted peer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod event_history;
mod hmp;
mod qmp;
#[path = "../readline/mod.rs"]
mod readline;
mod unix_socket;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A buffer so small that each side blocks until the other reads.
const NARROW: usize = 8;

/// Polls `future` once, which must be pending.
async fn started<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    future
}
