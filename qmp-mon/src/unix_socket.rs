//! Connecting to the unix socket of a QEMU that is starting.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::Error;

/// How often a socket that does not exist yet is tried.
const INTERVAL: Duration = Duration::from_millis(20);

/// Connects to the socket at `path`, which QEMU may not have created yet, and calls
/// `connect` with the stream, all within `limit`.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing announces that a process listens at a socket"
)]
pub(crate) async fn connect_unix<M>(
    path: &Path,
    limit: Duration,
    connect: impl AsyncFnOnce(UnixStream) -> Result<M, Error>,
) -> Result<M, Error> {
    let start = Instant::now();
    let no_connection = |error| Error::NoConnection {
        path: path.to_owned(),
        waited: start.elapsed(),
        source: Arc::new(error),
    };
    let mut missing = None;
    let connected = timeout(limit, async {
        loop {
            match UnixStream::connect(path).await {
                Ok(stream) => {
                    missing = None;
                    return connect(stream).await;
                }
                Err(error) if is_early(&error) => missing = Some(error),
                Err(error) => return Err(no_connection(error)),
            }
            sleep(INTERVAL).await;
        }
    });
    let connected = connected.await;
    connected.unwrap_or_else(|_| {
        let silent = || io::Error::other("no greeting: QEMU serves another client, or hangs");
        Err(no_connection(missing.unwrap_or_else(silent)))
    })
}

/// Whether QEMU may not have created the socket, or may not listen yet.
fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused)
}
