//! A copy or a removal under way.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// How far it is, and whether it is to go on.
#[derive(Debug, Default)]
pub(crate) struct Task {
    given_up: CancellationToken,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Task {
    /// What gives it up.
    pub(crate) fn given_up(&self) -> &CancellationToken {
        &self.given_up
    }

    /// An error, if it was given up.
    pub(super) fn goes_on(&self) -> io::Result<()> {
        if self.given_up.is_cancelled() {
            return Err(io::Error::other("it was given up"));
        }
        Ok(())
    }

    /// One file more is copied.
    pub(super) fn has_copied(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What was copied by now.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [files, bytes] = [&self.files, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        write!(f, "{files} whole files copied, of {bytes} bytes together")
    }
}
