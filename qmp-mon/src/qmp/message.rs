//! What goes over QMP, either way.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::ErrorClass;

/// A command for QEMU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QmpCommand {
    /// The command's name, such as `query-status`.
    #[serde(rename = "execute")]
    pub command: String,
    /// A JSON object, or `null` for none.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    /// What QEMU puts into the reply, to tell which command it is for.
    pub id: u64,
}

/// A line from QEMU.
#[derive(Clone, Debug, PartialEq)]
pub enum QmpMessage {
    /// The first one.
    Greeting(Greeting),
    /// The command with this id succeeded and returned this: `{}` if nothing.
    Return {
        /// The command's id.
        id: u64,
        /// What it returned.
        value: Value,
    },
    /// A command failed.
    Error {
        /// The command's id; none if QEMU could not read the command at all.
        id: Option<u64>,
        /// What programs may rely upon.
        class: ErrorClass,
        /// QEMU's words, for people.
        desc: String,
    },
    /// Something happened.
    Event(Event),
    /// A line that is not QMP.
    Garbage {
        /// The line, undecodable bytes replaced.
        line: String,
    },
    /// A line that is too long to keep; it is left out.
    LineTooLong,
}

/// What QEMU says of itself at first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Greeting {
    /// QEMU's version.
    #[serde(deserialize_with = "version")]
    pub version: Version,
    /// What this QMP can do beyond the ordinary, such as `oob`.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// QEMU's version. Prefer asking for a feature itself: distributions backport.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Version {
    /// 7 in 7.2.22.
    pub major: u32,
    /// 2 in 7.2.22.
    pub minor: u32,
    /// 22 in 7.2.22.
    pub micro: u32,
    /// The distribution's name for it; may be empty.
    #[serde(skip)]
    pub package: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            micro,
            package,
        } = self;
        write!(f, "{major}.{minor}.{micro}{package}")
    }
}

/// Something that happened in QEMU, such as `STOP`, `RESET` or `SHUTDOWN`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// Its name, in capitals.
    #[serde(rename = "event")]
    pub name: String,
    /// What belongs to it: a JSON object, or `null`.
    #[serde(default)]
    pub data: Value,
    /// When it happened by the host's clock, since the Unix epoch; none if
    /// QEMU could not tell.
    #[serde(deserialize_with = "timestamp")]
    pub timestamp: Option<Duration>,
}

impl QmpMessage {
    /// Reads a line, which may not be QMP at all.
    pub(super) fn parse(line: &[u8]) -> Self {
        serde_json::from_slice(line)
            .ok()
            .and_then(Self::from_json)
            .unwrap_or_else(|| Self::Garbage {
                line: String::from_utf8_lossy(line).into_owned(),
            })
    }

    fn from_json(line: Value) -> Option<Self> {
        let Value::Object(mut members) = line else {
            return None;
        };
        let id = members.get("id").and_then(Value::as_u64);
        if let Some(value) = members.remove("return") {
            Some(Self::Return { id: id?, value })
        } else if let Some(error) = members.remove("error") {
            let Failure { class, desc } = serde_json::from_value(error).ok()?;
            Some(Self::Error { id, class, desc })
        } else if members.contains_key("event") {
            serde_json::from_value(Value::Object(members))
                .ok()
                .map(Self::Event)
        } else {
            serde_json::from_value(members.remove("QMP")?)
                .ok()
                .map(Self::Greeting)
        }
    }
}

#[derive(Deserialize)]
struct Failure {
    class: ErrorClass,
    desc: String,
}

/// `{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2…"}`
fn version<'de, D: Deserializer<'de>>(json: D) -> Result<Version, D::Error> {
    #[derive(Deserialize)]
    struct Nested {
        qemu: Version,
        #[serde(default)]
        package: String,
    }
    let Nested { qemu, package } = Nested::deserialize(json)?;
    Ok(Version { package, ..qemu })
}

/// `{"seconds": 1700000000, "microseconds": 123456}`, both -1 for "unknown".
fn timestamp<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Nested {
        seconds: i64,
        microseconds: i64,
    }
    let Nested {
        seconds,
        microseconds,
    } = Nested::deserialize(json)?;
    if seconds < 0 || microseconds < 0 {
        return Ok(None);
    }
    let microseconds = u32::try_from(microseconds).map_err(D::Error::custom)?;
    Ok(Some(
        Duration::from_secs(seconds.unsigned_abs()) + Duration::from_micros(microseconds.into()),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(line: &Value) -> QmpMessage {
        QmpMessage::parse(line.to_string().as_bytes())
    }

    #[test]
    fn lines_of_each_kind() {
        let version = json!({"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian"});
        assert_eq!(
            parse(&json!({"QMP": {"version": version, "capabilities": ["oob"]}})),
            QmpMessage::Greeting(Greeting {
                version: Version {
                    major: 7,
                    minor: 2,
                    micro: 22,
                    package: "Debian".into()
                },
                capabilities: vec!["oob".into()],
            })
        );
        assert_eq!(
            parse(&json!({"return": null, "id": 3})),
            QmpMessage::Return {
                id: 3,
                value: Value::Null
            }
        );
        assert_eq!(
            parse(&json!({"error": {"class": "DeviceNotFound", "desc": "d"}, "id": 1})),
            QmpMessage::Error {
                id: Some(1),
                class: ErrorClass::DeviceNotFound,
                desc: "d".into()
            }
        );
        assert_eq!(
            parse(&json!({"event": "STOP", "timestamp": {"seconds": 2, "microseconds": 5}})),
            QmpMessage::Event(Event {
                name: "STOP".into(),
                data: Value::Null,
                timestamp: Some(Duration::from_micros(2_000_005)),
            })
        );
    }

    #[test]
    fn unknown_time_is_none() {
        let stop = json!({"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}});
        let QmpMessage::Event(event) = parse(&stop) else {
            panic!("an event")
        };
        assert_eq!(event.timestamp, None);
    }

    #[test]
    fn other_lines_are_garbage() {
        for line in [
            "",
            "QEMU 7.2",
            "[1]",
            "{}",
            r#"{"return": {}}"#,
            r#"{"event": 1}"#,
            "\u{fffd}",
        ] {
            assert_eq!(
                QmpMessage::parse(line.as_bytes()),
                QmpMessage::Garbage { line: line.into() }
            );
        }
    }

    #[test]
    fn commands_leave_out_null_arguments() {
        let command = |arguments| QmpCommand {
            command: "stop".into(),
            arguments,
            id: 4,
        };
        let line = |arguments| serde_json::to_string(&command(arguments)).unwrap();
        assert_eq!(line(Value::Null), r#"{"execute":"stop","id":4}"#);
        assert_eq!(
            line(json!({"a": 1})),
            r#"{"execute":"stop","arguments":{"a":1},"id":4}"#
        );
    }
}
