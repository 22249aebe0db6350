//! Times of a run.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// A time of a run, from its beginning. A page has it in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) Duration);

impl Moment {
    pub(super) fn since(began: Instant) -> Self {
        Self(began.elapsed())
    }

    /// How long before this another was.
    pub(super) fn after(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(super) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.millis())
    }
}
