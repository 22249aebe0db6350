//! The errors of operations that a guest's end or a time limit has ended.

use std::process::ExitStatus;
use std::time::Duration;

use serial_log::SerialLog;
use tokio::time::timeout;

use super::{EXIT_DELAY, Lifetime};
use crate::error::ErrorKind;
use crate::trouble::Trouble;

/// How many lines of the console and of standard error an error shows.
const SHOWN_LINES: usize = 40;

/// How many lines of a kernel panic an error shows.
const PANIC_LINES: usize = 200;

/// How a panic begins ([`panic()`](https://github.com/torvalds/linux/blob/v6.1/kernel/panic.c#L310)).
const PANIC_BEGINS: &str = "Kernel panic - not syncing";

impl Lifetime {
    /// The error of a guest that has died, if it has.
    pub(super) fn guest_end_so_far(&self, doing: &str) -> Option<ErrorKind> {
        let trouble = self.watch.end_so_far()?;
        Some(self.guest_end(doing, trouble))
    }

    pub(super) fn guest_end(&self, doing: &str, trouble: Trouble) -> ErrorKind {
        ErrorKind::GuestEnded {
            doing: doing.to_owned(),
            trouble,
            status: self.exit_status(),
            console: self.last_console_lines(),
        }
    }

    /// The error of a condition that was not met within `waited`: every time-out error is
    /// made here, except those of waits on the console, which are `serial_log`'s.
    pub(crate) fn timed_out(
        &self,
        waited: Duration,
        what: &str,
        probes: u32,
        last_seen: &str,
    ) -> ErrorKind {
        ErrorKind::TimedOut {
            what: what.to_owned(),
            waited,
            probes,
            last_seen: last_seen.to_owned(),
            console: self.last_console_lines(),
        }
    }

    /// The error of a process that did not answer `doing` in time.
    pub(crate) fn no_answer(&self, doing: &str, limit: Duration) -> ErrorKind {
        let what = format!("{} to answer ({doing})", self.name);
        self.timed_out(limit, &what, 1, "no answer")
    }

    pub(crate) fn shell_error(&self, source: backdoor_shell::Error) -> ErrorKind {
        ErrorKind::Shell {
            source,
            console: self.last_console_lines(),
        }
    }

    /// The error of an operation in the guest's shell that a reset has ended.
    pub(crate) fn reset_error(&self, doing: &str) -> ErrorKind {
        ErrorKind::GuestReset {
            doing: doing.to_owned(),
            console: self.last_console_lines(),
        }
    }

    /// The last lines of the console, safe to print.
    pub(crate) fn last_console_lines(&self) -> Vec<String> {
        shown(&self.console)
    }

    pub(crate) fn last_stderr_lines(&self) -> Vec<String> {
        shown(&self.stderr)
    }

    pub(super) async fn exit_error(&self, doing: &str, status: ExitStatus) -> ErrorKind {
        // The pipes are closed; what is still in them is read first.
        let _ = timeout(EXIT_DELAY, async {
            self.console.closed().await;
            self.stderr.closed().await;
            self.reports.complete().await;
        })
        .await;
        if let Some(end) = self.guest_end_so_far(doing) {
            return end;
        }
        ErrorKind::Exited {
            doing: doing.to_owned(),
            process: self.name,
            status,
            reason: self.reports.exit_reason(),
            starting: false,
            stderr: self.last_stderr_lines(),
            console: self.last_console_lines(),
        }
    }
}

impl ErrorKind {
    /// Whether this may be only the first sign of the process's exit.
    pub(super) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Shell { source, .. } => matches!(
                source,
                backdoor_shell::Error::Closed { .. } | backdoor_shell::Error::Io { .. }
            ),
            Self::Monitor { source, .. } => source.is_closed(),
            Self::Console(error) => {
                matches!(
                    error,
                    serial_log::Error::Ended { .. } | serial_log::Error::Write(_)
                )
            }
            _ => false,
        }
    }
}

/// The last lines, from the beginning of a panic on, or the screen that they draw.
fn shown(log: &SerialLog) -> Vec<String> {
    let lines = log.last_lines(PANIC_LINES);
    let last = lines.len().saturating_sub(SHOWN_LINES);
    let panic = lines.iter().position(|line| line.contains(PANIC_BEGINS));
    if panic.is_none()
        && let Some(rows) = log.drawn_screen()
    {
        return rows.iter().map(|row| serial_log::excerpt(row)).collect();
    }
    lines[panic.map_or(last, |panic| panic.min(last))..]
        .iter()
        .map(|line| (line, serial_log::excerpt(line)))
        // Some lines have escape sequences only.
        .filter(|(line, shown)| line.is_empty() || !shown.trim().is_empty())
        .map(|(_, shown)| shown)
        .collect()
}
