//! A command and its result.

use std::time::Duration;

/// The time limit of a command that sets none: 15 minutes. The waits of `vmwright-machine` have
/// the same.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A bash command, run with `set -euo pipefail`, and its time limit.
///
/// A `&str` or `String` becomes a command with the [`DEFAULT_TIMEOUT`]:
///
/// ```
/// # use std::time::Duration;
/// # use backdoor_shell::Command;
/// let plain: Command = "systemctl is-system-running".into();
/// let quick = Command::new("ping -c 1 server").timeout(Duration::from_secs(5));
/// let endless = Command::new("fsck /dev/vdb").no_timeout();
/// # assert!(plain.time_limit() > quick.time_limit());
/// # assert!(endless.time_limit().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    script: String,
    time_limit: Option<Duration>,
    /// The time limit was not set by the caller.
    is_default: bool,
}

impl Command {
    /// Creates a command with the [`DEFAULT_TIMEOUT`].
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            time_limit: Some(DEFAULT_TIMEOUT),
            is_default: true,
        }
    }

    /// Sets the time limit, measured by the host's clock. Then the command receives SIGTERM,
    /// and SIGKILL if it does not exit, and its status is 124.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self.is_default = false;
        self
    }

    /// Sets the time limit unless the caller has set or removed it.
    #[doc(hidden)]
    #[must_use]
    pub fn default_timeout(self, limit: Duration) -> Self {
        if self.is_default {
            self.timeout(limit)
        } else {
            self
        }
    }

    /// Maps the time limit that the caller has set, if any.
    #[doc(hidden)]
    #[must_use]
    pub fn map_timeout(mut self, map: impl FnOnce(Duration) -> Duration) -> Self {
        if !self.is_default {
            self.time_limit = self.time_limit.map(map);
        }
        self
    }

    /// Removes the time limit.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.time_limit = None;
        self.is_default = false;
        self
    }

    /// The text that bash runs.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// The time limit, if there is one.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }
}

impl<T: Into<String>> From<T> for Command {
    fn from(script: T) -> Self {
        Self::new(script)
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status; 128 + N if it was killed by signal N.
    Status(i32),
    /// It was still running at its time limit.
    TimedOut,
    /// It had exited before its time limit, but processes that it had started still held its
    /// standard output. Redirect it, as in `server >/dev/null &`.
    OutputHeld {
        /// The processes, as `sleep 600 (process 123)`, separated by commas.
        by: String,
    },
}

impl Exit {
    /// The exit status; 124 after a time-out, as of timeout(1).
    pub fn status(&self) -> i32 {
        match self {
            Self::Status(status) => *status,
            Self::TimedOut | Self::OutputHeld { .. } => 124,
        }
    }

    /// Whether the command exited with status 0.
    pub fn success(&self) -> bool {
        *self == Self::Status(0)
    }

    /// Whether the result was not complete at the time limit.
    pub fn is_timeout(&self) -> bool {
        !matches!(self, Self::Status(_))
    }
}

/// The result of a command: how it ended and its standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers construct it, and a command has no other result"
)]
pub struct Output {
    /// How the command ended.
    pub exit: Exit,
    /// The exact bytes of its standard output; after a time-out, those that had arrived.
    pub stdout: Vec<u8>,
}

impl Output {
    /// The exit status, see [`Exit::status`].
    pub fn status(&self) -> i32 {
        self.exit.status()
    }

    /// Whether the command exited with status 0.
    pub fn success(&self) -> bool {
        self.exit.success()
    }

    /// The output as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
