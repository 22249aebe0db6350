//! Times within a run.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// The time since the start of the run, serialized in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(pub(super) Duration);

impl Timestamp {
    pub(super) fn now(start: Instant) -> Self {
        Self(start.elapsed())
    }

    pub(super) fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(super) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.millis())
    }
}
