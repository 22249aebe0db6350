//! What is said in a step.

use serde::Serialize;

use super::timestamp::Moment;
use super::truncated::{Kept, room};

/// What is said in a step.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) at: Moment,
    #[serde(flatten)]
    pub(super) said: Said,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    /// In words.
    Log {
        level: &'static str,
        text: String,
        /// What QEMU was started with.
        #[serde(skip_serializing_if = "String::is_empty")]
        command_line: String,
    },
    /// What a command came to, so many times in a row.
    Command {
        command: String,
        status: Option<i64>,
        output: Option<Kept>,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
        times: usize,
    },
    /// A picture of the screen, and what was read on it.
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

impl Said {
    /// How many bytes its texts take on a page.
    pub(super) fn room(&self) -> usize {
        match self {
            Self::Log {
                text, command_line, ..
            } => room(text) + room(command_line),
            Self::Command {
                command,
                output,
                error,
                ..
            } => room(command) + output.as_ref().map_or(0, Kept::room) + room(error),
            Self::Picture {
                path, text, words, ..
            } => room(path) + room(text) + room(words),
        }
    }

    /// Whether the next is the same again, as the looks of a wait are; then it counts here.
    pub(super) fn is_repeated_by(&mut self, next: &Self) -> bool {
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
