//! `Machine`: its parts, and the plumbing that all operations share.
//!
//! The operations are in `machine/`, one concern a file.

mod builder;
mod interact;
mod keyboard;
mod lifecycle;
pub(crate) mod monitor;
mod network;
#[cfg(feature = "ocr")]
mod pointer;
mod save;
#[cfg(feature = "ocr")]
mod screen;
#[cfg(feature = "ocr")]
mod screen_reading;
mod snapshot;
#[cfg(feature = "ocr")]
mod text;
mod virtual_terminals;
mod windows;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use backdoor_shell::Shell;
use qmp_mon::{Events, Hmp, Qmp};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

pub use builder::Builder;
#[cfg(feature = "ocr")]
pub use pointer::Button;
pub use snapshot::Snapshot;

use crate::error::{Error, ErrorKind, Result};
use crate::guest::conditions::Conditions;
use crate::guest::console_watch::Signs;
use crate::guest::lifetime::Qemu;
use crate::guest::waiting::{self, InVain, Look};
use crate::host::state_dir::StateDir;
use crate::instance::clone_agent as waiter;
use crate::instance::saved_state::{Origin, Saved};
use crate::start::StartCommand;
use crate::time_scale::scaled;

/// How long an operation may take unless it is told otherwise: 15 minutes.
pub const DEFAULT_LIMIT: Duration = backdoor_shell::DEFAULT_TIMEOUT;

/// How long [`Machine::send_key`] waits after a key unless it is told otherwise.
pub const DEFAULT_KEY_DELAY: Duration = Duration::from_millis(10);

/// One virtual machine: a handle, cheap to clone.
///
/// Operations take `&self` and may run at the same time: a wait on the console
/// beside a command, say. Commands queue for the guest's one root shell.
///
/// What an operation may take, and other habits, belong to the handle:
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(vm: machine::Machine) -> machine::Result<()> {
/// vm.wait_for_unit("multi-user.target").await?; // 15 minutes at most
/// vm.within(Duration::from_secs(10)).wait_for_open_port(80).await?;
/// # Ok(())
/// # }
/// ```
///
/// Dropping the last handle kills QEMU and all that the start command has
/// spawned, as does the end of this process, whatever its cause.
///
/// Whichever operation runs when QEMU ends, it ends at once with
/// [`ErrorKind::Exited`].
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) parts: Arc<Parts>,
    pub(crate) limit: Duration,
    pub(crate) key_delay: Duration,
    /// Whether conditions are checked: not while one of them is being.
    pub(crate) checks_conditions: bool,
}

/// What all handles of a machine share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) start: Mutex<StartCommand>,
    /// For the start command, beside this process's.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Before the state directory, which must not go before QEMU has.
    pub(crate) running: Mutex<Option<Arc<Running>>>,
    /// Held while the machine is being started.
    pub(crate) starting: tokio::sync::Mutex<()>,
    /// What the next start begins with.
    pub(crate) origin: Mutex<Origin>,
    /// Where the first start is to find a template to go on from, or to make one.
    pub(crate) templates: Mutex<Option<PathBuf>>,
    /// What the disks are on top of, and must not go.
    pub(crate) saved: OnceLock<Saved>,
    pub(crate) state: StateDir,
    pub(crate) out_dir: PathBuf,
    pub(crate) conditions: Conditions,
    /// Whether console lines are told of.
    pub(crate) shows_serial: Arc<AtomicBool>,
    /// What is trouble on the console.
    pub(crate) signs: Arc<Mutex<Signs>>,
    #[cfg(feature = "ocr")]
    pub(crate) reader: ocr::Reader,
}

/// A QEMU and our lines to it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) qemu: Qemu,
    pub(crate) hmp: Hmp,
    pub(crate) qmp: Qmp,
    /// What has happened in QEMU and nobody waited for yet.
    pub(crate) events: tokio::sync::Mutex<Events>,
    pub(crate) shell: Arc<tokio::sync::Mutex<Shell<UnixStream>>>,
    /// Held while a snapshot is taken, or gone back to.
    pub(crate) snapshots: Arc<tokio::sync::Mutex<()>>,
    /// To what waits in a guest that is saved.
    pub(crate) waiter: tokio::sync::Mutex<waiter::Line>,
    /// Whether the shell was connected when somebody last had news of it.
    pub(crate) is_connected: watch::Sender<bool>,
    /// Somebody waited for the end and got it: it is news to nobody.
    pub(crate) end_is_known: AtomicBool,
}

impl Machine {
    /// A machine of its own, with all else left at its default; not started yet.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(start: impl Into<StartCommand>) -> Result<Self> {
        Self::builder(start).build()
    }

    /// A machine to be described further.
    pub fn builder(start: impl Into<StartCommand>) -> Builder {
        Builder::new(start.into())
    }

    /// A handle whose waits take `limit` at most. So do commands that were given
    /// no [time-out](backdoor_shell::Command::timeout) of their own, and copies, from when
    /// it is their turn.
    ///
    /// On a slow host, the environment variable `VM_TIMEOUT_SCALE` (2.5, say)
    /// multiplies all limits.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        self.limited(scaled(limit))
    }

    /// A handle with just this limit.
    pub(crate) fn limited(&self, limit: Duration) -> Self {
        let mut handle = self.clone();
        handle.limit = limit;
        handle
    }

    /// The machine's name: what it was given, or NAME of its `run-NAME-vm`, or
    /// `machine`.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Where the machine keeps its state: disk, sockets, `console.log`.
    pub fn state_dir(&self) -> &Path {
        self.parts.state.path()
    }

    /// The host's side of the directory shared with the guest.
    pub fn shared_dir(&self) -> &Path {
        self.parts.state.shared()
    }

    /// Where screenshots go.
    pub fn out_dir(&self) -> &Path {
        &self.parts.out_dir
    }

    /// The process number of QEMU, if it runs.
    pub fn pid(&self) -> Option<u32> {
        let running = self.current()?;
        running
            .qemu
            .exit_status()
            .is_none()
            .then(|| running.qemu.pid())
    }

    /// QEMU as it was last started, if it was.
    pub(crate) fn current(&self) -> Option<Arc<Running>> {
        self.parts
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_current(&self, running: Option<Arc<Running>>) {
        *self
            .parts
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = running;
    }

    pub(crate) fn take_origin(&self) -> Origin {
        let mut origin = self
            .parts
            .origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut origin)
    }

    /// Where the first start finds a template; nothing after it.
    pub(crate) fn templates(&self) -> MutexGuard<'_, Option<PathBuf>> {
        let templates = self.parts.templates.lock();
        templates.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self, doing: &str) -> Result<Arc<Running>> {
        self.current().ok_or_else(|| {
            self.error(ErrorKind::NotRunning {
                doing: doing.to_owned(),
            })
        })
    }

    /// An error, with the trouble that the console has shown.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        let error = Error::new(&self.parts.name, kind);
        let trouble: Vec<String> = self.trouble().iter().map(ToString::to_string).collect();
        error
            .with_evidence("trouble seen on the console", &trouble.join("\n"))
            .with_evidence("the console's log", &self.incomplete_log())
    }

    /// Why the console's log is not whole on disk, if it is not.
    pub(crate) fn incomplete_log(&self) -> String {
        let running = self.current();
        let failure = running.and_then(|running| running.qemu.console.spool_error());
        failure.map_or_else(String::new, |failure| {
            let log = self.parts.state.console_log();
            format!("{} is incomplete: {failure}", log.display())
        })
    }

    pub(crate) fn bad_argument(&self, doing: &str, reason: impl Into<String>) -> Error {
        self.error(ErrorKind::BadArgument {
            doing: doing.to_owned(),
            reason: reason.into(),
        })
    }

    /// `word` quoted for the guest's shell.
    pub(crate) fn quote(&self, doing: &str, word: &str) -> Result<String> {
        match backdoor_shell::quote(word) {
            Ok(quoted) => Ok(quoted.into_owned()),
            Err(_) => Err(self.bad_argument(doing, format!("{word:?} holds a NUL byte"))),
        }
    }

    /// Runs `operation` on the running QEMU, whose end ends it.
    pub(crate) async fn on_qemu<T>(
        &self,
        doing: &str,
        operation: impl AsyncFnOnce(&Running) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        let running = self.running(doing)?;
        let result = running.qemu.or_exit(doing, operation(&running)).await;
        self.told(&running, result).await
    }

    /// The same, for as long as this handle waits: QEMU may not answer.
    pub(crate) async fn ask_qemu<T>(
        &self,
        doing: &str,
        operation: impl AsyncFnOnce(&Running) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        self.on_qemu(doing, async |running| {
            let what = format!("QEMU to answer ({doing})");
            self.in_time(running, &what, operation(running)).await
        })
        .await
    }

    /// What QEMU answers, for which it is waited as long as this handle waits.
    pub(crate) async fn in_time<T>(
        &self,
        running: &Running,
        what: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T, ErrorKind> {
        let answered = timeout(self.limit, operation).await;
        answered.unwrap_or_else(|_| Err(self.timed_out(running, what, 1, "no answer")))
    }

    /// Runs `operation` on the guest, whose end ends it, as does QEMU's.
    pub(crate) async fn on_guest<T>(
        &self,
        doing: &str,
        operation: impl AsyncFnOnce(&Running) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        let running = self.running(doing)?;
        let operation = operation(&running);
        let result = running.qemu.or_guests_end(doing, operation).await;
        self.told(&running, result).await
    }

    /// Looks until `what` has happened, for as long as this handle waits. The guest's
    /// end ends it, and QEMU's. `look` is told how much time is left.
    pub(crate) async fn wait<T, F>(&self, what: &str, look: impl FnMut(Duration) -> F) -> Result<T>
    where
        F: Future<Output = Result<Look<T>>>,
    {
        let running = self.running(what)?;
        // The looks' own errors pass through beside those of QEMU's end.
        let wait = async { Ok(waiting::wait(self.limit, look).await) };
        let waited = running.qemu.or_guests_end(what, wait).await;
        match self.told(&running, waited).await?? {
            Ok(value) => Ok(value),
            Err(InVain { looks, last_seen }) => {
                let in_vain = self.timed_out(&running, what, looks, &last_seen);
                self.told(&running, Err(in_vain)).await
            }
        }
    }

    pub(crate) fn last_console_lines(&self) -> Vec<String> {
        let running = self.current();
        running.map_or_else(Vec::new, |running| running.qemu.last_console_lines())
    }

    /// `what` was waited for in vain, for as long as this handle waits.
    pub(crate) fn timed_out(
        &self,
        running: &Running,
        what: &str,
        looks: u32,
        last_seen: &str,
    ) -> ErrorKind {
        ErrorKind::TimedOut {
            what: what.to_owned(),
            waited: self.limit,
            looks,
            last_seen: last_seen.to_owned(),
            console: running.qemu.last_console_lines(),
        }
    }
}
