//! A guest's process from spawn to exit: its console, its standard error, and what ends
//! every operation on the guest.

use std::ffi::OsString;
use std::fmt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serial_log::{SerialLog, Spool};
use tokio::time::timeout;

use super::console_watch::ConsoleWatch;
use crate::error::ErrorKind;
use crate::host::process::{CommandSpec, Process};
use crate::host::state_dir::{StateDir, at};
use crate::time_scale::scaled;
use crate::trace::CONSOLE;
use crate::trouble::{PANIC, Trouble};

/// How many lines of the console and of standard error an error shows.
const SHOWN_LINES: usize = 40;

/// How many lines of a kernel panic an error shows.
const PANIC_LINES: usize = 200;

/// How a panic begins ([`panic()`](https://github.com/torvalds/linux/blob/v6.1/kernel/panic.c#L310)).
const PANIC_BEGINS: &str = "Kernel panic - not syncing";

/// How long to wait for the exit status after a connection broke: the sockets of a dying
/// QEMU close shortly before its process exits.
const EXIT_DELAY: Duration = Duration::from_secs(2);

/// How long to wait for more console lines of a guest that has died.
const LAST_LINES: Duration = Duration::from_millis(100);

/// How long a kernel that has panicked may take to reboot, which ends QEMU, unless its
/// console shows that it halts: the `panic=` parameters in use are shorter.
const REBOOT: Duration = Duration::from_secs(30);

/// Finds out why a guest makes no progress, if it is visible from outside.
type Diagnose = Box<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// The process in which a guest runs, with its console (standard input and output) and
/// standard error.
pub(crate) struct Lifetime {
    process: Process,
    pub(crate) console: SerialLog,
    pub(crate) watch: Arc<ConsoleWatch>,
    stderr: SerialLog,
    diagnose: OnceLock<Diagnose>,
    /// Whether the exit was returned to a caller, so that it is no error later on.
    exit_is_expected: AtomicBool,
}

impl Lifetime {
    /// Starts the process in the state directory.
    pub(crate) fn spawn(
        machine: &str,
        spec: CommandSpec,
        state: &StateDir,
        env: Vec<(OsString, OsString)>,
        shows_serial: Arc<AtomicBool>,
        watch: Arc<ConsoleWatch>,
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
            diagnose: OnceLock::new(),
            exit_is_expected: AtomicBool::new(false),
        })
    }

    /// Sets what [`diagnose`](Self::diagnose) calls.
    pub(crate) fn set_diagnosis(&self, diagnose: Diagnose) {
        self.diagnose.get_or_init(|| diagnose);
    }

    /// Why the guest makes no progress, if it is visible from outside.
    pub(crate) async fn diagnose(&self) -> Option<String> {
        self.diagnose.get()?().await
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

    /// Records that a caller has waited for the exit.
    pub(crate) fn expect_exit(&self) {
        self.exit_is_expected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn exit_is_expected(&self) -> bool {
        self.exit_is_expected.load(Ordering::Relaxed)
    }

    /// Runs `operation`; the exit of the process ends it at once.
    pub(crate) async fn until_exit<T>(
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
            status = self.exited() => return Err(self.exit_error(doing, status).await),
        };
        match timeout(EXIT_DELAY, self.exited()).await {
            Ok(status) => Err(self.exit_error(doing, status).await),
            Err(_) => Err(failure),
        }
    }

    /// Runs `operation`, which needs a live guest: its death ends it at once, as does the
    /// exit of the process.
    pub(crate) async fn until_guest_end<T>(
        &self,
        doing: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        tokio::select! {
            // A result that is there already counts, whatever came after it.
            biased;
            result = self.until_exit(doing, operation) => result,
            trouble = self.watch.ended() => {
                let _ = timeout(LAST_LINES, self.exited()).await;
                Err(self.guest_end(doing, trouble))
            }
        }
    }

    /// Waits for the process to exit, or for the guest to die while its process goes on.
    pub(crate) async fn exit_or_guest_end(&self, doing: &str) -> Result<ExitStatus, ErrorKind> {
        let trouble = tokio::select! {
            biased;
            status = self.exited() => return Ok(status),
            trouble = self.watch.stays() => trouble,
            trouble = self.panic_without_reboot() => trouble,
        };
        match timeout(LAST_LINES, self.exited()).await {
            Ok(status) => Ok(status),
            Err(_) => Err(self.guest_end(doing, trouble)),
        }
    }

    /// Waits for the guest to die, and for as long as a reboot may take to end QEMU.
    async fn panic_without_reboot(&self) -> Trouble {
        loop {
            self.watch.ended().await;
            let _ = timeout(scaled(REBOOT), self.exited()).await;
            // The trouble may have been allowed in the meantime.
            if let Some(trouble) = self.watch.end_so_far() {
                return trouble;
            }
        }
    }

    /// The error of a guest that has died, if it has.
    pub(crate) fn guest_end_so_far(&self, doing: &str) -> Option<ErrorKind> {
        let trouble = self.watch.end_so_far()?;
        Some(self.guest_end(doing, trouble))
    }

    fn guest_end(&self, doing: &str, trouble: Trouble) -> ErrorKind {
        ErrorKind::GuestEnded {
            doing: doing.to_owned(),
            trouble,
            status: self.exit_status(),
            console: self.last_console_lines(),
        }
    }

    /// The error of a condition that was not met within `waited`: every time-out error is
    /// made here.
    pub(crate) fn timed_out(
        &self,
        waited: Duration,
        what: &str,
        looks: u32,
        last_seen: &str,
    ) -> ErrorKind {
        ErrorKind::TimedOut {
            what: what.to_owned(),
            waited,
            looks,
            last_seen: last_seen.to_owned(),
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

    async fn exit_error(&self, doing: &str, status: ExitStatus) -> ErrorKind {
        // The pipes are closed; what is still in them is read first.
        let _ = timeout(EXIT_DELAY, async {
            self.console.closed().await;
            self.stderr.closed().await;
        })
        .await;
        let seen = self.watch.seen();
        if let Some(panic) = seen.into_iter().find(|trouble| trouble.name == PANIC) {
            return self.guest_end(doing, panic);
        }
        ErrorKind::Exited {
            doing: doing.to_owned(),
            status,
            starting: false,
            stderr: self.last_stderr_lines(),
            console: self.last_console_lines(),
        }
    }
}

impl fmt::Debug for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifetime")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl ErrorKind {
    /// Whether this may be only the first sign of the process's exit.
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
