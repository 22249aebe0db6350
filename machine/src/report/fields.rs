//! The fields of spans and events that reports use.

use std::fmt::Debug;

use tracing::field::{Field, Visit};

use super::files::Files;
use super::truncated::Truncated;
use crate::trace::field;

/// The fields of a span or an event. Large fields are only read for reports with files.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) machine: String,
    pub(super) message: String,
    pub(super) what: String,
    pub(super) kind: String,
    pub(super) outcome: String,
    pub(super) error: String,
    pub(super) summary: String,
    pub(super) error_id: Option<u64>,
    pub(super) infrastructure: bool,
    pub(super) command: String,
    pub(super) command_line: String,
    pub(super) path: String,
    pub(super) text: String,
    pub(super) words: String,
    pub(super) status: Option<i64>,
    pub(super) seconds: Option<f64>,
    pub(super) output: Option<Truncated>,
    pub(super) png: Vec<u8>,
}

/// Collects fields.
pub(super) struct FieldVisitor<'a> {
    pub(super) fields: Fields,
    /// Where large fields are stored, if the report uses them.
    pub(super) files: Option<&'a mut Files>,
}

impl Fields {
    /// The line of the failure's message for a log.
    pub(super) fn summary(&self) -> &str {
        if self.summary.is_empty() {
            return self.error.lines().next().unwrap_or_default();
        }
        &self.summary
    }

    /// The text field of that name.
    fn text(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            field::MACHINE => &mut self.machine,
            field::MESSAGE => &mut self.message,
            field::WHAT => &mut self.what,
            field::KIND => &mut self.kind,
            field::OUTCOME => &mut self.outcome,
            field::ERROR => &mut self.error,
            field::SUMMARY => &mut self.summary,
            field::COMMAND => &mut self.command,
            field::COMMAND_LINE => &mut self.command_line,
            field::PATH => &mut self.path,
            field::TEXT => &mut self.text,
            field::WORDS => &mut self.words,
            _ => return None,
        })
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, recorded: &Field, value: &str) {
        match (recorded.name(), &mut self.files) {
            (field::OUTPUT, Some(files)) => self.fields.output = Some(files.store("output", value)),
            (name, _) => {
                if let Some(text) = self.fields.text(name) {
                    value.clone_into(text);
                }
            }
        }
    }

    fn record_bytes(&mut self, recorded: &Field, value: &[u8]) {
        if recorded.name() == field::PNG && self.files.is_some() {
            value.clone_into(&mut self.fields.png);
        }
    }

    fn record_i64(&mut self, recorded: &Field, value: i64) {
        if recorded.name() == field::STATUS {
            self.fields.status = Some(value);
        }
    }

    fn record_u64(&mut self, recorded: &Field, value: u64) {
        if recorded.name() == field::ERROR_ID {
            self.fields.error_id = Some(value);
        }
    }

    fn record_bool(&mut self, recorded: &Field, value: bool) {
        if recorded.name() == field::INFRASTRUCTURE {
            self.fields.infrastructure = value;
        }
    }

    fn record_f64(&mut self, recorded: &Field, value: f64) {
        if recorded.name() == field::SECONDS {
            self.fields.seconds = Some(value);
        }
    }

    fn record_debug(&mut self, recorded: &Field, value: &dyn Debug) {
        if let Some(text) = self.fields.text(recorded.name()) {
            *text = format!("{value:?}");
        }
    }
}
