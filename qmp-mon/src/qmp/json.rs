//! Messages as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{Event, Greeting, QmpCommand, QmpMessage, Version};
use crate::ErrorClass;

impl QmpCommand {
    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Command {
            execute: &self.command,
            arguments: &self.arguments,
            id: self.id,
        })
    }
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
            let class = ErrorClass::of_name(class);
            Some(Self::Error { id, class, desc })
        } else if members.contains_key("event") {
            let event: AnEvent = serde_json::from_value(Value::Object(members)).ok()?;
            Some(Self::Event(event.into()))
        } else {
            let greeting: AGreeting = serde_json::from_value(members.remove("QMP")?).ok()?;
            Some(Self::Greeting(greeting.into()))
        }
    }
}

#[derive(Serialize)]
struct Command<'a> {
    execute: &'a str,
    #[serde(skip_serializing_if = "Value::is_null")]
    arguments: &'a Value,
    id: u64,
}

#[derive(Deserialize)]
struct Failure {
    class: String,
    desc: String,
}

#[derive(Deserialize)]
struct AGreeting {
    version: Package,
    #[serde(default)]
    capabilities: Vec<String>,
}

/// `{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2…"}`
#[derive(Deserialize)]
struct Package {
    qemu: Numbers,
    #[serde(default)]
    package: String,
}

#[derive(Deserialize)]
struct Numbers {
    major: u32,
    minor: u32,
    micro: u32,
}

impl From<AGreeting> for Greeting {
    fn from(greeting: AGreeting) -> Self {
        let Package { qemu, package } = greeting.version;
        Self {
            version: Version {
                major: qemu.major,
                minor: qemu.minor,
                micro: qemu.micro,
                package,
            },
            capabilities: greeting.capabilities,
        }
    }
}

#[derive(Deserialize)]
struct AnEvent {
    event: String,
    #[serde(default)]
    data: Value,
    timestamp: Timestamp,
}

/// `{"seconds": 1700000000, "microseconds": 123456}`, both -1 for "unknown".
#[derive(Deserialize)]
struct Timestamp {
    seconds: i64,
    microseconds: i64,
}

impl From<AnEvent> for Event {
    fn from(event: AnEvent) -> Self {
        let part = |number: i64| u64::try_from(number).ok();
        let seconds = part(event.timestamp.seconds).map(Duration::from_secs);
        let microseconds = part(event.timestamp.microseconds).map(Duration::from_micros);
        Self {
            name: event.event,
            data: event.data,
            timestamp: seconds.zip(microseconds).map(|(one, other)| one + other),
        }
    }
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
        let line = |arguments| String::from_utf8(command(arguments).to_json().unwrap()).unwrap();
        assert_eq!(line(Value::Null), r#"{"execute":"stop","id":4}"#);
        assert_eq!(
            line(json!({"a": 1})),
            r#"{"execute":"stop","arguments":{"a":1},"id":4}"#
        );
    }
}
