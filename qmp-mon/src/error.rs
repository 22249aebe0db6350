//! Errors of the monitors.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// An error of a monitor.
///
/// Cloneable, because the end of a connection is reported to every pending call.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line contains something that cannot be typed verbatim at the human
    /// monitor.
    #[error("{command:?} cannot be typed at QEMU's monitor: {reason}")]
    BadCommand {
        /// The command.
        command: String,
        /// The reason.
        reason: String,
    },
    /// The arguments are neither a JSON object nor `null`, or are nested too deeply.
    ///
    /// The message does not contain the command, so that callers can add context.
    #[error("the arguments must be a JSON object or null, not {seen}")]
    BadArguments {
        /// The command.
        command: String,
        /// The arguments given, as JSON.
        seen: String,
    },
    /// The key does not exist in QEMU.
    #[error(
        "unknown QEMU key {key:?} (in {combination:?}): expected a name such as \
         `a`, `ret` or `kp_0`, or a scancode from `0x01` to `0xff`"
    )]
    UnknownKey {
        /// The unknown part.
        key: String,
        /// The whole combination.
        combination: String,
    },
    /// No key of a US keyboard types this character.
    #[error("no key of a US keyboard types {character:?}")]
    NoKeyFor {
        /// The character.
        character: char,
    },
    /// The QMP command failed or was rejected.
    ///
    /// The message contains only QEMU's text, so that callers can add context.
    #[error("{desc} ({class})")]
    Qmp {
        /// The command.
        command: String,
        /// The class, for programs.
        class: ErrorClass,
        /// The description, for humans.
        desc: String,
    },
    /// The result of a QMP command is not of the expected type.
    #[error("unexpected result of the QMP command `{command}`: {seen}")]
    UnexpectedResult {
        /// The command.
        command: String,
        /// The beginning of the result, as JSON.
        seen: String,
        /// What is missing or wrong.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A monitor's unix socket could not be used within the limit.
    #[error("no connection to QEMU's monitor at {}, tried for {waited:?}", path.display())]
    NoConnection {
        /// The path of the socket.
        path: PathBuf,
        /// How long it was tried.
        waited: Duration,
        /// The last attempt's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The command prompted for a password, which is not supported. The prompt was
    /// answered with an empty line, so the monitor remains usable.
    #[error(
        "the monitor command `{command}` prompted for a password: pass it in the command itself"
    )]
    PasswordPrompt {
        /// The command.
        command: String,
    },
    /// The reply is too long and was discarded; the monitor remains usable.
    #[error("the reply to `{command}` is longer than {limit} bytes")]
    ReplyTooLong {
        /// The command.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The subscriber was too slow, and the oldest events were lost. The stream
    /// continues with the next one.
    #[error("{count} QMP events were lost: the subscriber was too slow")]
    EventsLost {
        /// The number of lost events.
        count: u64,
    },
    /// The connection was closed: by QEMU, or because the client was dropped.
    #[error("the monitor was closed while {doing}{}", so_far(.seen))]
    Closed {
        /// The operation in progress.
        doing: String,
        /// The end of the incomplete reply; often empty.
        seen: String,
    },
    /// Reading or writing the monitor's stream failed.
    #[error("the monitor's connection failed while {doing}")]
    Io {
        /// The operation in progress.
        doing: String,
        /// The operating system's reason.
        #[source]
        source: Arc<io::Error>,
    },
    /// The peer does not speak this monitor's protocol: for example, it is a QMP
    /// socket used as HMP. The connection is closed.
    #[error("not the expected monitor protocol, while {doing}: expected {expected}, got {seen:?}")]
    Protocol {
        /// The operation in progress.
        doing: String,
        /// What was expected.
        expected: &'static str,
        /// The beginning of what was received.
        seen: String,
    },
}

impl Error {
    /// Whether the connection is closed, so that all further calls fail, too.
    pub fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::Closed { .. } | Self::Io { .. } | Self::Protocol { .. }
        )
    }
}

/// QMP's error classes (`QapiErrorClass`). Most errors are `GenericError`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Described only by the text.
    GenericError,
    /// The command does not exist, or not in QEMU's current state.
    CommandNotFound,
    /// The device exists but is not active.
    DeviceNotActive,
    /// The device does not exist.
    DeviceNotFound,
    /// The host's KVM lacks a capability.
    KvmMissingCap,
    /// A class unknown to QEMU 7.2.
    Other(String),
}

impl ErrorClass {
    /// The class with this name, as in QEMU's messages.
    pub(crate) fn of_name(class: String) -> Self {
        match class.as_str() {
            "GenericError" => Self::GenericError,
            "CommandNotFound" => Self::CommandNotFound,
            "DeviceNotActive" => Self::DeviceNotActive,
            "DeviceNotFound" => Self::DeviceNotFound,
            "KVMMissingCap" => Self::KvmMissingCap,
            _ => Self::Other(class),
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GenericError => "GenericError",
            Self::CommandNotFound => "CommandNotFound",
            Self::DeviceNotActive => "DeviceNotActive",
            Self::DeviceNotFound => "DeviceNotFound",
            Self::KvmMissingCap => "KVMMissingCap",
            Self::Other(class) => class,
        })
    }
}

/// Why a connection was closed; [`error_while`](Self::error_while) adds the operation in progress.
#[derive(Clone, Debug)]
pub(crate) enum CloseReason {
    Closed {
        seen: String,
    },
    Io(Arc<io::Error>),
    Protocol {
        expected: &'static str,
        seen: String,
    },
}

impl CloseReason {
    pub(crate) fn closed() -> Self {
        Self::Closed {
            seen: String::new(),
        }
    }

    pub(crate) fn protocol(expected: &'static str, seen: &str) -> Self {
        Self::Protocol {
            expected,
            seen: beginning(seen).to_owned(),
        }
    }

    pub(crate) fn error_while(self, doing: impl Into<String>) -> Error {
        let doing = doing.into();
        match self {
            Self::Closed { seen } => Error::Closed {
                doing,
                seen: end(&seen).to_owned(),
            },
            Self::Io(source) => Error::Io { doing, source },
            Self::Protocol { expected, seen } => Error::Protocol {
                doing,
                expected,
                seen,
            },
        }
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // QEMU exited without reading all that was sent.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::closed(),
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// The reason, which the connection's task sets and all handles read.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedCloseReason(Arc<OnceLock<CloseReason>>);

impl SharedCloseReason {
    pub(crate) fn set(&self, reason: CloseReason) {
        // An incomplete reply belongs only to its own command.
        let reason = match reason {
            CloseReason::Closed { .. } => CloseReason::closed(),
            other => other,
        };
        let _ = self.0.set(reason);
    }

    /// A task that set no reason was dropped with its runtime.
    pub(crate) fn get(&self) -> CloseReason {
        self.0.get().cloned().unwrap_or_else(CloseReason::closed)
    }
}

/// Maximum length of quoted text in an error, in characters.
const QUOTED: usize = 400;

pub(crate) fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(QUOTED);
    end.map_or(text, |(end, _)| &text[..end])
}

fn end(text: &str) -> &str {
    let start = text.char_indices().nth_back(QUOTED - 1);
    start.map_or(text, |(start, _)| &text[start..])
}

fn so_far(seen: &str) -> String {
    if seen.is_empty() {
        String::new()
    } else {
        format!("; incomplete reply: {seen:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_what_was_expected_and_received() {
        let error = CloseReason::protocol("QEMU's greeting", "SSH-2.0").error_while("connecting");
        assert_eq!(
            error.to_string(),
            "not the expected monitor protocol, while connecting: \
             expected QEMU's greeting, got \"SSH-2.0\""
        );
        let error = CloseReason::Closed {
            seen: "half".into(),
        }
        .error_while("waiting for the reply to `info`");
        assert_eq!(
            error.to_string(),
            "the monitor was closed while waiting for the reply to `info`; \
             incomplete reply: \"half\""
        );
    }

    const REASON: &str = "no buffer space";

    /// An error of each variant that has a source.
    fn with_sources() -> [Error; 3] {
        let source = Arc::new(io::Error::other(REASON));
        [
            Error::UnexpectedResult {
                command: "query-status".to_owned(),
                seen: "[]".to_owned(),
                source: Arc::new(serde::de::Error::custom(REASON)),
            },
            Error::NoConnection {
                path: "/tmp/qmp".into(),
                waited: Duration::from_secs(1),
                source: Arc::clone(&source),
            },
            CloseReason::Io(source).error_while("connecting"),
        ]
    }

    /// A new variant must be added here, and to [`with_sources`] if it has a source.
    fn has_source(error: &Error) -> bool {
        match error {
            Error::UnexpectedResult { .. } | Error::NoConnection { .. } | Error::Io { .. } => true,
            Error::BadCommand { .. }
            | Error::BadArguments { .. }
            | Error::UnknownKey { .. }
            | Error::NoKeyFor { .. }
            | Error::Qmp { .. }
            | Error::PasswordPrompt { .. }
            | Error::ReplyTooLong { .. }
            | Error::EventsLost { .. }
            | Error::Closed { .. }
            | Error::Protocol { .. } => false,
        }
    }

    #[test]
    fn each_text_appears_once_in_the_chain() {
        for error in with_sources() {
            assert!(has_source(&error), "{error:?}");
            let source = std::error::Error::source(&error).expect("has a source");
            assert_eq!(source.to_string(), REASON);
            assert!(!error.to_string().contains(REASON), "{error}");
            assert!(source.source().is_none());
        }
    }

    #[test]
    fn a_failed_command_shows_only_the_text_of_qemu() {
        let error = Error::Qmp {
            command: "query-nope".into(),
            class: ErrorClass::CommandNotFound,
            desc: "The command query-nope has not been found".into(),
        };
        assert_eq!(
            error.to_string(),
            "The command query-nope has not been found (CommandNotFound)"
        );
    }

    #[test]
    fn long_texts_are_truncated_between_characters() {
        let long = "é".repeat(QUOTED) + "!";
        assert!(beginning(&long).chars().count() == QUOTED && long.starts_with(beginning(&long)));
        assert!(end(&long).chars().count() == QUOTED && end(&long).ends_with('!'));
    }
}
