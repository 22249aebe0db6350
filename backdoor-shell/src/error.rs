//! What can go wrong between us and the guest's shell.

use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why a command has no result, or a file is not written. (A command that fails
/// *has* a result: its status.)
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller's mistake: bash can't be given a NUL byte.
    #[error("the command contains a NUL byte, which no shell can be given: {command}")]
    Nul {
        /// The command, the NUL shown as `\0`.
        command: String,
    },
    /// The caller's mistake: no file's name can contain a NUL byte.
    #[error("a file's name contains a NUL byte: {path}")]
    NulInPath {
        /// The name, the NUL shown as `\0`.
        path: String,
    },
    /// The other end closed the line: the machine is off, or its console device gone.
    #[error("the guest closed the shell while {doing}")]
    Closed {
        /// What was under way.
        doing: String,
    },
    /// Reading or writing the line failed.
    #[error("the shell's connection failed while {doing}: {source}")]
    Io {
        /// What was under way.
        doing: String,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The guest's shell died under the command and its service started it
    /// anew. Call [`Shell::connect`](crate::Shell::connect) to go on.
    #[error("the guest's shell was restarted while {doing}; connect again to go on")]
    Restarted {
        /// What was under way.
        doing: String,
    },
    /// Neither SIGTERM nor SIGKILL got an answer, or a file could not be ended: the
    /// guest hangs, or its shell does. [`Shell::disconnect`](crate::Shell::disconnect) waits
    /// for another one.
    #[error("the guest's shell gave no sign for {after:?} after being asked to end what it did")]
    Unresponsive {
        /// How long was waited.
        after: Duration,
    },
    /// The output could not be sent: `dd`, or, at a console, `base64`, is missing in the
    /// guest, or was killed.
    #[error(
        "the guest could not send the output of {command}: \
         its `dd` (at a console `base64 -w 0`) ended with status {status} (127: not installed; 137: killed)"
    )]
    Encoder {
        /// The command whose output is incomplete.
        command: String,
        /// The encoder's exit status.
        status: i32,
    },
    /// The output arrived damaged: something else wrote to the line.
    #[error(
        "the output of {command} arrived damaged: something else in the guest wrote to its line"
    )]
    Damaged {
        /// The command whose output is lost.
        command: String,
    },
    /// More output than memory should hold: [`Shell::run_into`](crate::Shell::run_into)
    /// takes any amount.
    #[error("{command} has printed more than {limit} bytes, and not to a writer")]
    TooMuch {
        /// The command, which the next one ends.
        command: String,
        /// How much would have been kept.
        limit: usize,
    },
    /// The caller's writer refused the output.
    #[error("the output of {command} could not be written: {source}")]
    Write {
        /// The command whose output was being written.
        command: String,
        /// The writer's reason.
        source: Arc<io::Error>,
    },
    /// The guest's console, its only line, is not free for a terminal session.
    #[error(
        "the guest has no virtio port called org.vmwright.shell, so that its console is \
         not free for a terminal session"
    )]
    NoTerminal,
    /// The caller's input or output of a terminal session failed.
    #[error("the terminal of a session in the guest failed: {source}")]
    Terminal {
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The guest could not write a file: there is no room, no such directory…
    #[error("the guest could not write {path}: {reason}")]
    File {
        /// The file in the guest.
        path: String,
        /// What the guest says.
        reason: String,
    },
    /// The caller's reader failed; the file in the guest is incomplete.
    #[error("what was to be written to {path} in the guest could not be read: {source}")]
    Read {
        /// The file in the guest.
        path: String,
        /// The reader's reason.
        source: Arc<io::Error>,
    },
    /// [`Shell::connect`](crate::Shell::connect) was not called, or did not finish.
    #[error("the guest's shell is not connected yet: call `connect` first")]
    NotConnected,
}

/// The error that a failing line is.
pub(crate) fn io_error(error: io::Error, doing: &str) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    match error.kind() {
        BrokenPipe | ConnectionReset => Error::Closed {
            doing: doing.to_owned(),
        },
        _ => Error::Io {
            doing: doing.to_owned(),
            source: Arc::new(error),
        },
    }
}
