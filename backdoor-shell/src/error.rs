//! Failures between the host and the guest's shell.

use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why a command has no result, or a file was not written. (A command that fails *has* a
/// result: its status.)
///
/// The message does not repeat that of [`source`](std::error::Error::source): print the
/// whole chain.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command contains a NUL byte.
    #[error("the command contains a NUL byte, which bash does not accept: {command}")]
    Nul {
        /// The command, with NUL shown as `\0`.
        command: String,
    },
    /// The path of a file contains a NUL byte.
    #[error("the path contains a NUL byte: {path}")]
    NulInPath {
        /// The path, with NUL shown as `\0`.
        path: String,
    },
    /// The other end closed the connection: the machine is off or has no such device any
    /// more.
    #[error("the guest closed the shell while {doing}")]
    Closed {
        /// The operation in progress.
        doing: String,
    },
    /// The connection failed.
    #[error("the shell's connection failed while {doing}")]
    Io {
        /// The operation in progress.
        doing: String,
        /// The operating system's error.
        source: Arc<io::Error>,
    },
    /// The guest's shell exited during the operation, and its service restarted it. Call
    /// [`Shell::connect`](crate::Shell::connect) to continue.
    #[error("the guest's shell was restarted while {doing}; connect again to continue")]
    Restarted {
        /// The operation in progress.
        doing: String,
    },
    /// The guest confirmed neither SIGTERM nor SIGKILL, or not the end of an abandoned file:
    /// the guest or its shell hangs. [`Shell::disconnect`](crate::Shell::disconnect)
    /// prepares for a new shell.
    #[error("guest shell did not respond within {after:?} of the request to stop the command")]
    Unresponsive {
        /// The time limit.
        after: Duration,
    },
    /// The guest could not send the output: `dd`, or `base64` at a console, is not
    /// installed or was killed.
    #[error(
        "the guest could not send the output of {command}: \
         its `dd` (at a console `base64 -w 0`) exited with status {status} (127: not installed; 137: killed)"
    )]
    Encoder {
        /// The command whose output is incomplete.
        command: String,
        /// The exit status of `dd` or `base64`.
        status: i32,
    },
    /// The output was damaged by another process in the guest that wrote to the same line.
    #[error(
        "the output of {command} arrived damaged: another process in the guest wrote to the same line"
    )]
    Damaged {
        /// The command whose output is lost.
        command: String,
    },
    /// The output exceeds the limit of [`Shell::run`](crate::Shell::run).
    /// [`Shell::run_into`](crate::Shell::run_into) has none.
    #[error("output exceeds {limit} bytes; use `run_into` to stream it")]
    TooMuch {
        /// The command, which the next call stops.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The caller's writer failed.
    #[error("the output of {command} could not be written")]
    Write {
        /// The command whose output was being written.
        command: String,
        /// The writer's error.
        source: Arc<io::Error>,
    },
    /// The agent uses the guest's console, which is not free for a terminal session.
    #[error(
        "the guest has no virtio port named {port}, so its console is \
         not free for a terminal session",
        port = crate::PORT
    )]
    NoTerminal,
    /// The caller's input or output of a terminal session failed.
    #[error("the host's end of a terminal session failed")]
    Terminal {
        /// The operating system's error.
        source: Arc<io::Error>,
    },
    /// The guest could not write a file.
    #[error("the guest could not write {path}: {reason}")]
    File {
        /// The file in the guest.
        path: String,
        /// The guest's error message.
        reason: String,
    },
    /// The caller's reader failed. The file in the guest is incomplete.
    #[error("could not read the data for {path} in the guest")]
    Read {
        /// The file in the guest.
        path: String,
        /// The reader's error.
        source: Arc<io::Error>,
    },
    /// [`Shell::connect`](crate::Shell::connect) was not called or has not finished.
    #[error("the guest's shell is not connected: call `connect` first")]
    NotConnected,
}

/// Converts an error of the connection.
pub(crate) fn io_error(error: io::Error, doing: &str) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    let doing = doing.to_owned();
    match error.kind() {
        BrokenPipe | ConnectionReset => Error::Closed { doing },
        _ => Error::Io {
            doing,
            source: Arc::new(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: &str = "device not configured";

    /// One of each variant that has a source.
    fn with_sources() -> [Error; 4] {
        let source = || Arc::new(io::Error::other(REASON));
        let command = "make".to_owned();
        let path = "/file".to_owned();
        [
            io_error(io::Error::other(REASON), "connecting"),
            Error::Write {
                command,
                source: source(),
            },
            Error::Terminal { source: source() },
            Error::Read {
                path,
                source: source(),
            },
        ]
    }

    /// The messages of `error` and its sources.
    fn chain(error: &Error) -> Vec<String> {
        let mut texts = Vec::new();
        let mut next: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = next {
            texts.push(error.to_string());
            next = error.source();
        }
        texts
    }

    #[test]
    fn each_text_of_a_chain_is_in_it_once() {
        for error in with_sources() {
            assert!(has_source(&error), "{error:?}");
            let chain = chain(&error);
            assert_eq!(chain.len(), 2, "{chain:?}");
            assert_eq!(chain.concat().matches(REASON).count(), 1, "{chain:?}");
            assert_eq!(chain[1], REASON);
        }
    }

    /// A new variant must be added here, and to [`with_sources`] if it has a source.
    fn has_source(error: &Error) -> bool {
        match error {
            Error::Io { .. }
            | Error::Write { .. }
            | Error::Terminal { .. }
            | Error::Read { .. } => true,
            Error::Nul { .. }
            | Error::NulInPath { .. }
            | Error::Closed { .. }
            | Error::Restarted { .. }
            | Error::Unresponsive { .. }
            | Error::Encoder { .. }
            | Error::Damaged { .. }
            | Error::TooMuch { .. }
            | Error::NoTerminal
            | Error::File { .. }
            | Error::NotConnected => false,
        }
    }
}
