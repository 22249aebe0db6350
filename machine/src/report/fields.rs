//! The fields of spans and events that reports use.

use std::fmt::Debug;

use tracing::field::{Field, Visit};

use super::files::Files;
use super::truncated::Truncated;

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
            "machine" => &mut self.machine,
            "message" => &mut self.message,
            "what" => &mut self.what,
            "kind" => &mut self.kind,
            "outcome" => &mut self.outcome,
            "error" => &mut self.error,
            "summary" => &mut self.summary,
            "command" => &mut self.command,
            "command_line" => &mut self.command_line,
            "path" => &mut self.path,
            "text" => &mut self.text,
            "words" => &mut self.words,
            _ => return None,
        })
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match (field.name(), &mut self.files) {
            ("output", Some(files)) => self.fields.output = Some(files.store("output", value)),
            (name, _) => {
                if let Some(text) = self.fields.text(name) {
                    value.clone_into(text);
                }
            }
        }
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        if field.name() == "png" && self.files.is_some() {
            value.clone_into(&mut self.fields.png);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "status" {
            self.fields.status = Some(value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "error_id" {
            self.fields.error_id = Some(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "infrastructure" {
            self.fields.infrastructure = value;
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "seconds" {
            self.fields.seconds = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(text) = self.fields.text(field.name()) {
            *text = format!("{value:?}");
        }
    }
}
