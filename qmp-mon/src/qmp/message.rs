//! QMP's messages.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::ErrorClass;

/// A command for QEMU.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it, and the protocol defines its fields"
)]
pub struct QmpCommand {
    /// The command's name, such as `query-status`.
    pub command: String,
    /// A JSON object, or `null` for none.
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// QEMU's version.
    pub version: Version,
    /// The optional capabilities, such as `oob`.
    pub capabilities: Vec<String>,
}

/// QEMU's version. Prefer querying for features: distributions backport them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Version {
    /// The 7 of 7.2.22.
    pub major: u32,
    /// The 2 of 7.2.22.
    pub minor: u32,
    /// The 22 of 7.2.22.
    pub micro: u32,
    /// The distribution's package version; may be empty.
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its name, in upper case.
    pub name: String,
    /// Its data: a JSON object, or `null`.
    pub data: Value,
    /// The host's time since the Unix epoch; `None` if QEMU could not read it.
    pub timestamp: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
