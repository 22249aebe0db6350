//! A copy or a removal under way.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// Its cancellation and its progress.
#[derive(Debug, Default)]
pub(crate) struct Task {
    cancellation: CancellationToken,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Task {
    /// Cancels it.
    pub(crate) fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Fails if it was cancelled.
    pub(super) fn check_cancelled(&self) -> io::Result<()> {
        if self.cancellation.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        Ok(())
    }

    /// Counts a file that is completely copied.
    pub(super) fn count_copied(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The files copied so far.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [files, bytes] = [&self.files, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        write!(f, "{files} files copied, {bytes} bytes in total")
    }
}
