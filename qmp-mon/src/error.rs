//! What can go wrong between us and a monitor.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

/// Why a monitor has no answer for us.
///
/// Clonable, so that the end of a monitor can be told to all who wait for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's mistake: what can't be typed at the human monitor as it is.
    #[error("{command:?} can't be typed at QEMU's monitor: {reason}")]
    BadCommand {
        /// The command.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller's mistake: QMP takes a JSON object, or nothing (`null`), as arguments.
    #[error(
        "the arguments of the QMP command `{command}` must be a JSON object or null, not {seen}"
    )]
    BadArguments {
        /// The command.
        command: String,
        /// The arguments given, as JSON.
        seen: String,
    },
    /// The caller's mistake: not a key that QEMU knows.
    #[error(
        "QEMU knows no key {key:?} (in {combination:?}): expected a name such as \
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
    /// QEMU carried out the QMP command and it failed, or refused it.
    ///
    /// The text is only QEMU's, so that it can follow what the caller was doing.
    #[error("{desc} ({class})")]
    Qmp {
        /// The command.
        command: String,
        /// What programs may rely upon.
        class: ErrorClass,
        /// QEMU's words, for people.
        desc: String,
    },
    /// The command wants a password to be typed, which we refuse: its prompt
    /// was answered with an empty one, to get the monitor back.
    #[error("the monitor command `{command}` asked for a password: give it in the command itself")]
    PasswordPrompt {
        /// The command.
        command: String,
    },
    /// The reply is longer than is kept. It was dropped; the monitor is still usable.
    #[error("the reply to `{command}` is longer than {limit} bytes")]
    ReplyTooLong {
        /// The command.
        command: String,
        /// The most bytes that are kept.
        limit: usize,
    },
    /// This listener was too slow, and QEMU's events too many: the oldest are
    /// lost. The stream goes on with the next one.
    #[error("{count} QMP events were lost: they came faster than they were taken")]
    EventsLost {
        /// How many.
        count: u64,
    },
    /// The monitor is gone: QEMU ended or closed it, or the client was dropped.
    #[error("the monitor was closed while {doing}{}", so_far(.seen))]
    Closed {
        /// What was under way.
        doing: String,
        /// The end of what came of the reply until then; often empty.
        seen: String,
    },
    /// Reading or writing the monitor's stream failed.
    #[error("the monitor's connection failed while {doing}")]
    Io {
        /// What was under way.
        doing: String,
        /// The operating system's reason.
        #[source]
        source: Arc<io::Error>,
    },
    /// The other end does not speak this monitor's protocol: a QMP socket used
    /// as HMP, for example. The connection is given up.
    #[error("not the expected monitor protocol, while {doing}: expected {expected}, got {seen:?}")]
    Protocol {
        /// What was under way.
        doing: String,
        /// What should have come.
        expected: &'static str,
        /// The beginning of what came.
        seen: String,
    },
}

impl Error {
    /// Whether the monitor is gone: whatever else is asked of it fails as well.
    pub fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::Closed { .. } | Self::Io { .. } | Self::Protocol { .. }
        )
    }
}

/// QMP's classes of errors (`QapiErrorClass`). Nearly all are `GenericError`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum ErrorClass {
    /// No more is known than the description says.
    GenericError,
    /// This QEMU has no such command, or not in its present state.
    CommandNotFound,
    /// The device is there, but not in use.
    DeviceNotActive,
    /// No such device.
    DeviceNotFound,
    /// The host's KVM lacks something.
    KvmMissingCap,
    /// A class unknown to QEMU 7.2.
    Other(String),
}

impl From<String> for ErrorClass {
    fn from(class: String) -> Self {
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

/// How a connection ended; each who waited for it adds what for.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Closed {
        seen: String,
    },
    Io(Arc<io::Error>),
    Protocol {
        expected: &'static str,
        seen: String,
    },
}

impl Ended {
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

    pub(crate) fn during(self, doing: impl Into<String>) -> Error {
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

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // How a QEMU that ended looks to us if it left unread what we had sent.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::closed(),
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// Where a connection's task leaves word of its end, for all handles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epitaph(Arc<OnceLock<Ended>>);

impl Epitaph {
    pub(crate) fn write(&self, ended: Ended) {
        // What a reply said before it broke off concerns its own command only.
        let ended = match ended {
            Ended::Closed { .. } => Ended::closed(),
            other => other,
        };
        let _ = self.0.set(ended);
    }

    /// A task that left no word was dropped with its runtime.
    pub(crate) fn read(&self) -> Ended {
        self.0.get().cloned().unwrap_or_else(Ended::closed)
    }
}

/// How much of a peer's text is quoted in an error, in bytes.
const QUOTED: usize = 400;

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUOTED)]
}

fn end(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(QUOTED))..]
}

fn so_far(seen: &str) -> String {
    if seen.is_empty() {
        String::new()
    } else {
        format!("; until then it had said {seen:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_what_was_expected_and_what_came() {
        let error = Ended::protocol("QEMU's greeting", "SSH-2.0").during("connecting");
        assert_eq!(
            error.to_string(),
            "not the expected monitor protocol, while connecting: \
             expected QEMU's greeting, got \"SSH-2.0\""
        );
        let error = Ended::Closed {
            seen: "half".into(),
        }
        .during("waiting for the reply to `info`");
        assert_eq!(
            error.to_string(),
            "the monitor was closed while waiting for the reply to `info`; \
             until then it had said \"half\""
        );
    }

    #[test]
    fn a_chain_holds_each_text_once() {
        let error = Ended::Io(Arc::new(io::Error::other("no buffer space"))).during("connecting");
        let source = std::error::Error::source(&error).expect("has a source");
        assert_eq!(
            error.to_string(),
            "the monitor's connection failed while connecting"
        );
        assert_eq!(source.to_string(), "no buffer space");
        assert!(source.source().is_none());
    }

    #[test]
    fn a_failed_command_can_follow_what_was_being_done() {
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
    fn long_texts_are_quoted_in_part_and_cut_between_characters() {
        let long = "é".repeat(QUOTED) + "!";
        assert!(beginning(&long).len() <= QUOTED && long.starts_with(beginning(&long)));
        assert!(end(&long).len() <= QUOTED && end(&long).ends_with('!'));
    }
}
