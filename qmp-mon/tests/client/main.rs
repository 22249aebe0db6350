//! The clients against a scripted other end.

#![expect(clippy::unwrap_used, reason = "a test that can't go on")]

mod event_history;
mod hmp;
mod qmp;
#[path = "../readline/mod.rs"]
mod readline;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// So little fits into the line that neither end can do without the other's reading.
const NARROW: usize = 8;

/// Starts `future`, as far as it gets without the other end.
async fn started<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    future
}
