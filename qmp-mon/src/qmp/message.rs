//! QMP's messages.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::ErrorClass;

/// A command for QEMU.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it, and the protocol defines its fields"
)]
pub struct QmpCommand {
    /// The command's name, such as `query-status`.
    #[serde(rename = "execute")]
    pub command: String,
    /// A JSON object, or `null` for none.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    /// Repeated by QEMU in the reply.
    pub id: u64,
}

/// A message from QEMU.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum QmpMessage {
    /// The first message.
    Greeting(Greeting),
    /// A command succeeded.
    Return {
        /// The command's id.
        id: u64,
        /// Its result, usually `{}`.
        value: Value,
    },
    /// A command failed.
    Error {
        /// The command's id; `None` if QEMU could not parse the command.
        id: Option<u64>,
        /// The class, for programs.
        class: ErrorClass,
        /// The description, for humans.
        desc: String,
    },
    /// An event.
    Event(Event),
    /// A line that is not QMP.
    Garbage {
        /// The line, with invalid UTF-8 replaced.
        line: String,
    },
    /// A line that is too long, and was discarded.
    LineTooLong,
}

/// QEMU's greeting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Greeting {
    /// QEMU's version.
    #[serde(deserialize_with = "version")]
    pub version: Version,
    /// The optional capabilities, such as `oob`.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// QEMU's version. Prefer querying for features: distributions backport them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// The 7 of 7.2.22.
    pub major: u32,
    /// The 2 of 7.2.22.
    pub minor: u32,
    /// The 22 of 7.2.22.
    pub micro: u32,
    /// The distribution's package version; may be empty.
    #[serde(skip)]
    pub package: String,
}

impl Version {
    /// Parses the version in HMP's greeting, such as `7.2.22`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            micro: numbers.next()??,
            package: String::new(),
        };
        numbers.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            micro,
            package,
        } = self;
        write!(f, "{major}.{minor}.{micro}")?;
        if package.is_empty() {
            return Ok(());
        }
        write!(f, " ({package})")
    }
}

/// An event, such as `STOP`, `RESET` or `SHUTDOWN`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Its name, in upper case.
    #[serde(rename = "event")]
    pub name: String,
    /// Its data: a JSON object, or `null`.
    #[serde(default)]
    pub data: Value,
    /// The host's time since the Unix epoch; `None` if QEMU could not read it.
    #[serde(deserialize_with = "timestamp")]
    pub timestamp: Option<Duration>,
}

impl QmpMessage {
    /// Parses a line.
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
    fn hmp_versions() {
        let version = Version::parse("7.2.22").unwrap();
        assert_eq!((version.major, version.minor, version.micro), (7, 2, 22));
        assert_eq!(version.to_string(), "7.2.22");
        let package = "Debian 1:7.2+dfsg".to_owned();
        let packaged = Version { package, ..version };
        assert_eq!(packaged.to_string(), "7.2.22 (Debian 1:7.2+dfsg)");
        for invalid in ["", "7.2", "7.2.x", "7.2.22.1"] {
            assert_eq!(Version::parse(invalid), None, "{invalid:?}");
        }
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
