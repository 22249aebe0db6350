//! Signals that end a run.

use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for one of them, from now on, and returns its number.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = i32>> {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let mut listeners: Vec<(SignalKind, Signal)> = Vec::new();
    for kind in kinds {
        listeners.push((kind, signal(kind)?));
    }
    Ok(std::future::poll_fn(move |context| {
        for (kind, listener) in &mut listeners {
            if listener.poll_recv(context).is_ready() {
                return Poll::Ready(kind.as_raw_value());
            }
        }
        Poll::Pending
    }))
}
