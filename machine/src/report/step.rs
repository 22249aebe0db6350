//! Steps of a recorded run.

use serde::{Serialize, Serializer};

use super::log_entry::LogEntry;
use super::outcome::Outcome;
use super::timestamp::Timestamp;
use super::truncated::json_len;

/// A step, or an event outside of the steps of its machine.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) machine: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    pub(super) what: String,
    pub(super) start: Timestamp,
    /// `None` while the step is running.
    pub(super) end: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    pub(super) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
    #[serde(skip)]
    pub(super) error_id: Option<u64>,
    #[serde(skip)]
    pub(super) infrastructure: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<LogEntry>,
}

impl Step {
    pub(super) fn new(
        parent: Option<usize>,
        machine: Option<usize>,
        kind: String,
        what: String,
        start: Timestamp,
    ) -> Self {
        Self {
            parent,
            machine,
            kind,
            what,
            start,
            end: None,
            outcome: None,
            error: String::new(),
            error_id: None,
            infrastructure: false,
            entries: Vec::new(),
        }
    }

    /// The length of its texts in the page's JSON, in bytes.
    pub(super) fn json_len(&self) -> usize {
        let entries = self.entries.iter().map(|entry| entry.content.json_len());
        json_len(&self.what) + json_len(&self.error) + entries.sum::<usize>()
    }

    pub(super) fn is_failed(&self) -> bool {
        self.outcome == Some(Outcome::Failed)
    }

    /// Whether it failed with that error. Failures without an id match no other.
    pub(super) fn failed_with(&self, error_id: Option<u64>) -> bool {
        self.is_failed() && error_id.is_some() && self.error_id == error_id
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.outcome == Some(Outcome::Cancelled)
    }
}

/// Writes an outcome's name.
#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "as serde calls it"
)]
fn name<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.map(Outcome::name).serialize(serializer)
}
