//! Events within a step.

use serde::Serialize;

use super::timestamp::Timestamp;
use super::truncated::{Truncated, json_len};

/// An event within a step.
#[derive(Debug, Serialize)]
pub(super) struct LogEntry {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) content: Content,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// A log message.
    Log {
        level: &'static str,
        text: String,
        /// QEMU's command line, if the message is about its start.
        #[serde(skip_serializing_if = "String::is_empty")]
        command_line: String,
    },
    /// The result of a command.
    Command {
        command: String,
        status: Option<i64>,
        output: Option<Truncated>,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
        /// How often in a row the command had this result.
        times: usize,
    },
    /// A screenshot and the text recognized in it.
    Picture {
        picture: usize,
        #[serde(skip_serializing_if = "String::is_empty")]
        path: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        text: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        words: String,
    },
}

impl Content {
    /// The length of its texts in the page's JSON, in bytes.
    pub(super) fn json_len(&self) -> usize {
        match self {
            Self::Log {
                text, command_line, ..
            } => json_len(text) + json_len(command_line),
            Self::Command {
                command,
                output,
                error,
                ..
            } => {
                let output = output.as_ref().map_or(0, Truncated::json_len);
                json_len(command) + output + json_len(error)
            }
            Self::Picture {
                path, text, words, ..
            } => json_len(path) + json_len(text) + json_len(words),
        }
    }

    /// Merges the next event into this one if both are the same command result or the same
    /// picture, as with the repeated attempts of a wait. Returns whether they were.
    pub(super) fn merge(&mut self, next: &Self) -> bool {
        match (self, next) {
            (
                Self::Command {
                    command,
                    status,
                    output,
                    error,
                    times,
                },
                Self::Command {
                    command: c,
                    status: s,
                    output: o,
                    error: e,
                    ..
                },
            ) if (&*command, &*status, &*output, &*error) == (c, s, o, e) => {
                *times += 1;
                true
            }
            (this @ Self::Picture { .. }, next) => this == next,
            _ => false,
        }
    }
}
