//! A QEMU that runs: its process and what it says.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serial_log::{SerialLog, Spool};
use tokio::time::timeout;

use crate::error::ErrorKind;
use crate::guest::console_watch::{PANIC, Trouble, Watch};
use crate::host::process::CommandSpec;
use crate::host::process::Process;
use crate::host::state_dir::{StateDir, at};
use crate::time_scale::scaled;
use crate::trace::CONSOLE;

/// How many lines of the console and of standard error an error shows.
const SHOWN_LINES: usize = 40;

/// How many lines a kernel's panic may have, all of which are shown.
const PANIC_LINES: usize = 200;

/// What a panic begins with, [says the
/// kernel](https://github.com/torvalds/linux/blob/v6.1/kernel/panic.c#L310).
const PANIC_BEGINS: &str = "Kernel panic - not syncing";

/// How long a broken connection may be news before the reason for it is: the
/// sockets of a dying QEMU close a moment before its process is buried.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a guest that has given up may go on talking before it is told of.
const LAST_LINES: Duration = Duration::from_millis(100);

/// How long a kernel that has panicked may take to reboot, which ends QEMU, if its console
/// does not tell that it stays: as long as the parameters `panic=` that are in use.
const REBOOT: Duration = Duration::from_secs(30);

/// QEMU's process, its console (standard input and output) and standard error.
#[derive(Debug)]
pub(crate) struct Qemu {
    process: Process,
    pub(crate) console: SerialLog,
    pub(crate) watch: Arc<Watch>,
    stderr: SerialLog,
}

impl Qemu {
    /// Starts QEMU in the state directory.
    pub(crate) fn spawn(
        machine: &str,
        spec: CommandSpec,
        state: &StateDir,
        env: Vec<(OsString, OsString)>,
        shows_serial: Arc<AtomicBool>,
        watch: Arc<Watch>,
    ) -> Result<Self, ErrorKind> {
        let spool = Spool::create(state.console_log()).map_err(at(&state.console_log()))?;
        let (process, streams) = Process::spawn(spec, state.path(), env)?;
        let name = machine.to_owned();
        let watching = Arc::clone(&watch);
        let console = SerialLog::builder()
            .spool(spool)
            .input(streams.stdin)
            .on_line(move |line| {
                watching.see_line(line);
                if shows_serial.load(Ordering::Relaxed) {
                    let line = serial_log::printable(line);
                    tracing::debug!(target: CONSOLE, machine = name, "{line}");
                }
            })
            .start(streams.stdout);
        let name = machine.to_owned();
        let stderr = SerialLog::builder()
            .on_line(move |line| {
                tracing::warn!(machine = name, "QEMU says: {}", serial_log::printable(line));
            })
            .start(streams.stderr);
        Ok(Self {
            process,
            console,
            watch,
            stderr,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.process.exit_status()
    }

    pub(crate) async fn exited(&self) -> ExitStatus {
        self.process.exited().await
    }

    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// What `operation` comes to, or at once the story of QEMU's end.
    pub(crate) async fn or_exit<T>(
        &self,
        doing: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        let failure = tokio::select! {
            biased;
            result = operation => match result {
                Err(kind) if kind.is_lost_connection() => kind,
                result => return result,
            },
            status = self.exited() => return Err(self.story(doing, status).await),
        };
        match timeout(LAST_WORDS, self.exited()).await {
            Ok(status) => Err(self.story(doing, status).await),
            Err(_) => Err(failure),
        }
    }

    /// What `operation` comes to, which takes a guest that lives; or at once the story
    /// of its end, or of QEMU's.
    pub(crate) async fn or_guests_end<T>(
        &self,
        doing: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        tokio::select! {
            // What has happened already counts, whatever came after it.
            biased;
            result = self.or_exit(doing, operation) => result,
            trouble = self.watch.ended() => {
                let _ = timeout(LAST_LINES, self.exited()).await;
                Err(self.guests_end(doing, trouble))
            }
        }
    }

    /// How QEMU ends; or the guest's end, if that leaves QEMU running.
    pub(crate) async fn exit_unless_guests_end(
        &self,
        doing: &str,
    ) -> Result<ExitStatus, ErrorKind> {
        let trouble = tokio::select! {
            biased;
            status = self.exited() => return Ok(status),
            trouble = self.watch.stays() => trouble,
            trouble = self.does_not_reboot() => trouble,
        };
        match timeout(LAST_LINES, self.exited()).await {
            Ok(status) => Ok(status),
            Err(_) => Err(self.guests_end(doing, trouble)),
        }
    }

    /// Waits for the end of a guest, and for as long as it may take to end QEMU.
    async fn does_not_reboot(&self) -> Trouble {
        loop {
            self.watch.ended().await;
            let _ = timeout(scaled(REBOOT), self.exited()).await;
            // It may have been allowed meanwhile.
            if let Some(trouble) = self.watch.end_until_now() {
                return trouble;
            }
        }
    }

    /// The story of the guest's end, if it has ended by now.
    pub(crate) fn guests_end_until_now(&self, doing: &str) -> Option<ErrorKind> {
        let trouble = self.watch.end_until_now()?;
        Some(self.guests_end(doing, trouble))
    }

    fn guests_end(&self, doing: &str, trouble: Trouble) -> ErrorKind {
        ErrorKind::GuestEnded {
            doing: doing.to_owned(),
            trouble,
            status: self.exit_status(),
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

    async fn story(&self, doing: &str, status: ExitStatus) -> ErrorKind {
        // Its pipes are closed: what is in them has only to be read.
        let _ = timeout(LAST_WORDS, async {
            self.console.closed().await;
            self.stderr.closed().await;
        })
        .await;
        let seen = self.watch.seen();
        if let Some(panic) = seen.into_iter().find(|trouble| trouble.name == PANIC) {
            return self.guests_end(doing, panic);
        }
        ErrorKind::Exited {
            doing: doing.to_owned(),
            status,
            stderr: self.last_stderr_lines(),
            console: self.last_console_lines(),
        }
    }
}

impl ErrorKind {
    /// Whether this may be only the first sign of QEMU's end.
    fn is_lost_connection(&self) -> bool {
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

fn shown(log: &SerialLog) -> Vec<String> {
    let lines = log.last_lines(PANIC_LINES);
    let last = lines.len().saturating_sub(SHOWN_LINES);
    let panic = lines.iter().position(|line| line.contains(PANIC_BEGINS));
    lines[panic.map_or(last, |panic| panic.min(last))..]
        .iter()
        .map(|line| serial_log::printable(line).into_owned())
        .collect()
}
