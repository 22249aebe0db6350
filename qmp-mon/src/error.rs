//! What can go wrong at a monitor.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a monitor gave no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// QEMU closed the monitor: it has ended, or is about to.
    #[error("QEMU closed the monitor")]
    Closed,
    /// Reading from or writing to the monitor failed.
    #[error("the connection to the monitor failed: {0}")]
    Io(Arc<io::Error>),
    /// The caller's mistake: a line for the human monitor has a newline, a tab
    /// or another control character in it, all of which its line editor acts on.
    #[error("a monitor command is one line without control characters: {command:?}")]
    ControlCharacter {
        /// The command.
        command: String,
    },
    /// The caller's mistake: the human monitor cuts such a line off.
    #[error("a monitor command has at most {limit} bytes, not {length}")]
    CommandTooLong {
        /// How long the command is, in bytes.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The caller's mistake: QEMU has no key of this name.
    #[error(
        "QEMU has no key {key:?}; names are those of `sendkey`, joined by `-`: ctrl-alt-delete"
    )]
    UnknownKey {
        /// The part of the combination that is no key.
        key: String,
    },
    /// The caller's mistake: no key of a US keyboard gives this character.
    #[error("no key of a US keyboard types {character:?}")]
    NoKey {
        /// The character.
        character: char,
    },
    /// QEMU refused a QMP command.
    #[error("QEMU refused `{command}`: {desc} ({class})")]
    Refused {
        /// The command.
        command: String,
        /// The kind of error.
        class: ErrorClass,
        /// QEMU's own words.
        desc: String,
    },
    /// What came is not what the protocol lets come.
    #[error("expected {expected} from the monitor, but got {found}")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// The beginning of what did.
        found: String,
    },
    /// Events came faster than they were taken, and some are lost.
    #[error("{missed} events came faster than they were taken, and are lost")]
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl Error {
    /// Whether the monitor is of no more use.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed | Self::Io(_))
    }

    /// What came instead of what was expected, cut to a readable length.
    pub(crate) fn unexpected(expected: &'static str, found: &[u8]) -> Self {
        const SHOWN: usize = 200;
        let found = String::from_utf8_lossy(&found[..found.len().min(SHOWN)]);
        Self::Unexpected {
            expected,
            found: format!("{found:?}"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match error.kind() {
            // QEMU ends with our input unread.
            BrokenPipe | ConnectionReset | UnexpectedEof => Self::Closed,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// The class of a QMP error, QEMU's `QapiErrorClass`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Any error without a class of its own; most are.
    GenericError,
    /// There is no such command, or not now.
    CommandNotFound,
    /// The device is not active.
    DeviceNotActive,
    /// There is no such device.
    DeviceNotFound,
    /// KVM is needed, and not there.
    KvmMissingCap,
    /// One that this crate does not know.
    Other(String),
}

impl From<&str> for ErrorClass {
    fn from(class: &str) -> Self {
        match class {
            "GenericError" => Self::GenericError,
            "CommandNotFound" => Self::CommandNotFound,
            "DeviceNotActive" => Self::DeviceNotActive,
            "DeviceNotFound" => Self::DeviceNotFound,
            "KVMMissingCap" => Self::KvmMissingCap,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(class) => f.write_str(class),
            known => write!(f, "{known:?}"),
        }
    }
}
