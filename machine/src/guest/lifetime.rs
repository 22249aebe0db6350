//! A guest's process from spawn to exit: its console, its standard error, and what ends
//! every operation on the guest.

mod errors;
mod reports;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serial_log::{SerialLog, Spool};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use self::reports::Reports;
use super::Guest;
use super::console_watch::ConsoleWatch;
use crate::error::ErrorKind;
use crate::host::files::at;
use crate::host::process::{CommandSpec, Mount, Process};
use crate::time_scale::scaled;
use crate::trace::CONSOLE;
use crate::trouble::Trouble;

/// How long to wait for the exit status after a connection broke: the sockets of a dying
/// process close shortly before it exits.
const EXIT_DELAY: Duration = Duration::from_secs(2);

/// How long to wait for more console lines of a guest that has died.
const LAST_LINES: Duration = Duration::from_millis(100);

/// How long a kernel that has panicked may take to reboot, which ends the process, unless
/// its console shows that it halts: the `panic=` parameters in use are shorter.
const REBOOT: Duration = Duration::from_secs(30);

/// Finds out why a guest makes no progress, if it is visible from outside.
type Diagnose = Box<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// The process in which a guest runs, with its console (standard input and output) and
/// standard error.
pub(crate) struct Lifetime {
    /// What the process is, in messages.
    name: &'static str,
    process: Process,
    pub(crate) console: SerialLog,
    pub(crate) watch: Arc<ConsoleWatch>,
    stderr: SerialLog,
    pub(crate) reports: Reports,
    diagnose: OnceLock<Diagnose>,
    /// Whether the exit was returned to a caller, so that it is no error later on.
    exit_is_expected: AtomicBool,
}

/// How a guest's process is started.
pub(crate) struct Setup<'a> {
    pub(crate) guest: &'a Guest,
    /// What the process is, in messages.
    pub(crate) name: &'static str,
    pub(crate) spec: CommandSpec,
    /// Where the process runs.
    pub(crate) dir: &'a Path,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) watch: Arc<ConsoleWatch>,
    /// What the console has shown already: the boot of a guest that continues from it.
    pub(crate) boot_log: Option<File>,
    /// What the console's screen shows after so many bytes, if the guest continues.
    pub(crate) screen: Option<(String, usize)>,
}

impl Lifetime {
    /// Starts the process.
    pub(crate) fn spawn(setup: Setup<'_>) -> Result<Self, ErrorKind> {
        let Setup { guest, name, .. } = setup;
        let console_log = guest.state().console_log();
        let spool = Spool::create(&console_log).map_err(at(&console_log))?;
        let (process, streams) = Process::spawn(setup.spec, setup.dir, setup.env, setup.mounts)?;
        let (machine, shows_serial) = (guest.name().to_owned(), guest.shows_serial());
        let watching = Arc::clone(&setup.watch);
        let console = SerialLog::builder()
            .spool(spool)
            .input(streams.stdin)
            .on_line(move |line| {
                watching.check_line(line);
                if shows_serial.load(Ordering::Relaxed) {
                    let line = serial_log::printable(line);
                    tracing::debug!(target: CONSOLE, machine, "{line}");
                }
            });
        let console = match setup.screen {
            Some((screen, bytes)) => console.screen(screen, bytes),
            None => console,
        };
        let console = match setup.boot_log {
            Some(boot_log) => console.start(boot_log.chain(streams.stdout)),
            None => console.start(streams.stdout),
        };
        let machine = guest.name().to_owned();
        let stderr = SerialLog::builder()
            .on_line(move |line| {
                tracing::warn!(machine, "{name} printed: {}", serial_log::printable(line));
            })
            .start(streams.stderr);
        Ok(Self {
            name,
            process,
            console,
            watch: setup.watch,
            stderr,
            reports: Reports::default(),
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
    pub(super) async fn exit_within(
        &self,
        limit: Duration,
        doing: &str,
    ) -> Result<ExitStatus, ErrorKind> {
        let end = timeout(limit, self.exit_or_guest_end(doing)).await;
        end.unwrap_or_else(|_| {
            Err(self.guest_end_so_far(doing).unwrap_or_else(|| {
                let seen = format!("{} still runs", self.name);
                self.timed_out(limit, "the guest to power off", 1, &seen)
            }))
        })
    }

    async fn exit_or_guest_end(&self, doing: &str) -> Result<ExitStatus, ErrorKind> {
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

    /// Waits for the guest to die, and for as long as a reboot may take to end the process.
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
}

impl fmt::Debug for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifetime")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}
