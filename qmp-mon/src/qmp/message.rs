//! The messages of QMP (`docs/interop/qmp-spec.txt` in QEMU's source).

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What QEMU says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// First of all.
    Greeting(Greeting),
    /// What a command returned.
    Return {
        /// The command's id.
        id: Option<u64>,
        /// Its value; `{}` for most commands.
        value: Value,
    },
    /// How a command failed.
    Error {
        /// The command's id; none if QEMU could not read even that.
        id: Option<u64>,
        /// The class, in QEMU's spelling.
        class: String,
        /// QEMU's words.
        desc: String,
    },
    /// Something happened.
    Event(Event),
}

/// QEMU's greeting.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Greeting {
    /// QEMU's version, as `query-version` returns it.
    pub version: Value,
    /// What the protocol can do beyond its base, as `oob`.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// Something that happened in QEMU or in its guest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// Its name, as `SHUTDOWN` or `GUEST_PANICKED`.
    #[serde(rename = "event")]
    pub name: String,
    /// What it is about; null if there is nothing to say.
    #[serde(default)]
    pub data: Value,
    /// When it happened, by the host's clock.
    pub timestamp: Timestamp,
}

/// A moment of the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Timestamp {
    /// Seconds since 1970; -1 if QEMU could not tell.
    pub seconds: i64,
    /// Microseconds within the second.
    pub microseconds: i64,
}

impl Timestamp {
    /// The moment, if QEMU could tell.
    pub fn system_time(self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.seconds.try_into().ok()?);
        let rest = Duration::from_micros(self.microseconds.try_into().ok()?);
        SystemTime::UNIX_EPOCH
            .checked_add(seconds)?
            .checked_add(rest)
    }
}

/// A command for QEMU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command<'a> {
    /// Its name.
    pub execute: &'a str,
    /// An object, or null for none.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    /// Comes back with the answer.
    pub id: u64,
}

/// A message as it is on the line. Which of the fields there are tells what it is.
#[derive(Deserialize)]
pub(super) struct Wire {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    // A command may return null, which is not the same as no return.
    #[serde(rename = "return", default, deserialize_with = "present")]
    returned: Option<Value>,
    error: Option<WireError>,
    event: Option<String>,
    #[serde(default)]
    data: Value,
    timestamp: Option<Timestamp>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct WireError {
    class: String,
    desc: String,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Wire {
    /// The message, if it is one.
    pub(super) fn message(self) -> Option<Message> {
        let id = self.id;
        Some(match self {
            Self {
                greeting: Some(greeting),
                ..
            } => Message::Greeting(greeting),
            Self {
                returned: Some(value),
                ..
            } => Message::Return { id, value },
            Self {
                error: Some(WireError { class, desc }),
                ..
            } => Message::Error { id, class, desc },
            Self {
                event: Some(name),
                data,
                timestamp: Some(timestamp),
                ..
            } => Message::Event(Event {
                name,
                data,
                timestamp,
            }),
            _ => return None,
        })
    }
}
