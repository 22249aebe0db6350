//! What is run, and what came of it.

use std::time::Duration;

/// How long a command may take unless it says otherwise: 15 minutes.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(15);

/// A bash command, run with `set -euo pipefail`, and how long it may take.
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
    /// Nobody asked for that time limit.
    is_default: bool,
}

impl Command {
    /// A command that may take [`DEFAULT_TIMEOUT`].
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            time_limit: Some(DEFAULT_TIMEOUT),
            is_default: true,
        }
    }

    /// Lets the command take `limit` of the host's time; then it is ended with
    /// SIGTERM, with SIGKILL if that does not help, and its status is 124.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self.is_default = false;
        self
    }

    /// Lets the command take `limit` if nothing else was asked for.
    #[must_use]
    pub fn default_timeout(self, limit: Duration) -> Self {
        if self.is_default {
            self.timeout(limit)
        } else {
            self
        }
    }

    /// Makes another time limit of the one that was asked for, if one was.
    #[must_use]
    pub fn map_timeout(mut self, map: impl FnOnce(Duration) -> Duration) -> Self {
        if !self.is_default {
            self.time_limit = self.time_limit.map(map);
        }
        self
    }

    /// Lets the command take as long as it likes.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.time_limit = None;
        self.is_default = false;
        self
    }

    /// The text bash runs.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// How long the command may take; `None` is endless.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit status; 128 + N when signal N ended it.
    Status(i32),
    /// It was still running, or something it started still held its standard
    /// output, when its time was up.
    TimedOut,
}

impl Exit {
    /// The exit status; 124, as of timeout(1), when the time was up.
    pub fn status(self) -> i32 {
        match self {
            Self::Status(status) => status,
            Self::TimedOut => 124,
        }
    }

    /// Whether the command ended by itself with status 0.
    pub fn success(self) -> bool {
        self == Self::Status(0)
    }
}

/// A finished command: how it ended, and all it wrote to its standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How the command ended.
    pub exit: Exit,
    /// The exact bytes of its standard output; what had arrived, if the time was up.
    pub stdout: Vec<u8>,
}

impl Output {
    /// The exit status, see [`Exit::status`].
    pub fn status(&self) -> i32 {
        self.exit.status()
    }

    /// Whether the command ended by itself with status 0.
    pub fn success(&self) -> bool {
        self.exit.success()
    }

    /// The output as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
