//! A running Linux guest, driven through its root shell, whatever runs it.

mod cloud_init;
mod commands;
mod conditions;
mod console;
pub(crate) mod console_watch;
pub(crate) mod copy_dir;
mod copy_stream;
mod evidence;
mod files;
pub(crate) mod identity;
mod idle;
mod jobs;
mod last_bytes;
pub(crate) mod lifetime;
mod mounts;
pub(crate) mod parse;
pub(crate) mod poll;
mod ports;
mod power;
pub(crate) mod script;
pub(crate) mod serial_login;
mod shell;
pub(crate) mod shell_gate;
mod sleep;
mod step;
mod systemctl;
mod trouble;
mod unit_wait;
mod units;
pub(crate) mod virtual_terminals;
pub(crate) mod waiting;
pub(crate) mod windows;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use conditions::PollingCondition;

use self::conditions::Conditions;
use self::console_watch::Signs;
use self::lifetime::Lifetime;
use self::shell_gate::ShellGate;
use crate::error::{Error, ErrorKind, Result};
use crate::host::state_dir::StateDir;
use crate::sync::Mutex;
use crate::time_scale::scaled;

/// A Linux guest and its root shell: a handle, cheap to clone.
///
/// It offers what any Linux guest can do, whatever runs it; a
/// [`Machine`](crate::Machine) dereferences to it. Operations take `&self` and may run at
/// the same time, but commands queue for the guest's one root shell.
///
/// # Cancellation
///
/// Unless an operation says otherwise, dropping its future cancels it: a command is ended
/// in the guest before the next one runs, a wait has no effect, and a copy leaves at most
/// an incomplete target. The machine stays usable; one that the operation was starting is
/// off again.
#[derive(Clone)]
pub struct Guest {
    shared: Arc<Shared>,
    limit: Duration,
    /// Whether polling conditions are checked; false for the handle that a check is passed.
    checks_conditions: bool,
}

/// What all handles of a guest share.
struct Shared {
    name: String,
    /// Before the state directory, which must be removed after the process has exited.
    running: Mutex<Option<Arc<Running>>>,
    state: StateDir,
    out_dir: PathBuf,
    /// Whether a root shell is expected in the guest.
    has_shell: bool,
    start: OnceLock<Start>,
    conditions: Conditions,
    console: ConsoleSettings,
}

/// How the console of each run of a guest is handled.
struct ConsoleSettings {
    /// Whether its lines are emitted.
    is_shown: Arc<AtomicBool>,
    /// What counts as trouble on it.
    signs: Arc<Mutex<Signs>>,
}

/// Starts the machine of a guest that is off.
type Start = Box<dyn Fn(Guest) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A guest from one start to its end.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) gate: ShellGate,
}

impl Guest {
    pub(crate) fn new(name: String, state: StateDir, out_dir: PathBuf, has_shell: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                name,
                running: Mutex::default(),
                state,
                out_dir,
                has_shell,
                start: OnceLock::new(),
                conditions: Conditions::default(),
                console: ConsoleSettings {
                    is_shown: Arc::new(AtomicBool::new(true)),
                    signs: Arc::default(),
                },
            }),
            limit: scaled(backdoor_shell::DEFAULT_TIMEOUT),
            checks_conditions: true,
        }
    }

    /// Sets how a machine that is off is started by an operation that needs its guest.
    pub(crate) fn set_start(
        &self,
        start: impl Fn(Self) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static,
    ) {
        self.shared.start.get_or_init(|| Box::new(start));
    }

    /// A handle whose operations have this time limit: waits, copies, and commands without
    /// a [time-out](backdoor_shell::Command::timeout) of their own. Time spent queueing for
    /// the shell does not count.
    ///
    /// The environment variable `VM_TIMEOUT_SCALE` (2.5, say) multiplies all limits, for
    /// slow hosts.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        self.limited(scaled(limit))
    }

    /// A handle with exactly this limit.
    pub(crate) fn limited(&self, limit: Duration) -> Self {
        let mut handle = self.clone();
        handle.limit = limit;
        handle
    }

    /// A handle whose operations check no polling conditions.
    pub(crate) fn unchecked(&self) -> Self {
        let mut handle = self.clone();
        handle.checks_conditions = false;
        handle
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// The machine's name: the one given to its builder, or NAME of its `run-NAME-vm`, or
    /// `machine`.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The directory of the machine's state: disk, sockets, `console.log`.
    pub fn state_dir(&self) -> &Path {
        self.shared.state.path()
    }

    /// The host's side of the directory that all machines with this
    /// [directory for state](crate::Builder::tmp_dir) share, at `/tmp/shared` in guests.
    ///
    /// Other users of the host can't access its parent. In a guest, only root can access it,
    /// unless it makes the directory accessible (`chmod`).
    pub fn shared_dir(&self) -> &Path {
        self.shared.state.shared()
    }

    /// The directory for screenshots and copies from the guest.
    pub fn out_dir(&self) -> &Path {
        &self.shared.out_dir
    }

    pub(crate) fn state(&self) -> &StateDir {
        &self.shared.state
    }

    pub(crate) fn shows_serial(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.console.is_shown)
    }

    pub(crate) fn signs(&self) -> &Arc<Mutex<Signs>> {
        &self.shared.console.signs
    }

    /// The id of the process that runs the guest, if it runs.
    pub fn pid(&self) -> Option<u32> {
        let running = self.current()?;
        let lifetime = &running.lifetime;
        lifetime.exit_status().is_none().then(|| lifetime.pid())
    }

    /// The exit status of the process that ran the guest, if it was started and has exited;
    /// until the machine is [released](crate::Machine::release).
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.current()?.lifetime.exit_status()
    }

    /// Whether the machine was started, and was not released since, nor shut down or
    /// crashed on purpose.
    pub fn is_booted(&self) -> bool {
        let running = self.current();
        running.is_some_and(|running| !running.lifetime.exit_is_expected())
    }

    /// Whether the machine runs and its root shell is connected.
    pub fn is_up(&self) -> bool {
        self.current().is_some_and(|running| {
            running.gate.is_connected() && running.lifetime.exit_status().is_none()
        })
    }

    /// The guest as it was last started, if it was.
    pub(crate) fn current(&self) -> Option<Arc<Running>> {
        self.shared.running.lock().clone()
    }

    pub(crate) fn set_current(&self, running: Option<Arc<Running>>) {
        *self.shared.running.lock() = running;
    }

    pub(crate) fn running(&self, doing: &str) -> Result<Arc<Running>> {
        self.current().ok_or_else(|| self.not_running(doing))
    }

    pub(crate) fn not_running(&self, doing: &str) -> Error {
        self.error(ErrorKind::NotRunning {
            doing: doing.to_owned(),
        })
    }

    /// The running guest, for an operation in its shell; starts a machine that was not
    /// started, or is off on purpose.
    pub(crate) async fn started(&self, doing: &str) -> Result<Arc<Running>> {
        self.require_shell(doing)?;
        if let Some(start) = self.shared.start.get()
            && !self.is_booted()
        {
            start(self.clone()).await?;
        }
        self.running(doing)
    }

    /// Runs `operation`, which the guest's death ends, as do its process's exit and a polling
    /// condition that is no longer true.
    pub(crate) async fn until_guest_end<T>(
        &self,
        lifetime: &Lifetime,
        doing: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T> {
        let result = tokio::select! {
            biased;
            result = lifetime.until_guest_end(doing, operation) => result,
            // Boxed: it is rarely needed, and operations are nested.
            error = Box::pin(self.broken_condition()) => return Err(error),
        };
        self.with_diagnosis(lifetime, result).await
    }

    /// Runs `operation`, which only the exit of the guest's process ends.
    pub(crate) async fn until_exit<T>(
        &self,
        lifetime: &Lifetime,
        doing: &str,
        operation: impl Future<Output = Result<T, ErrorKind>>,
    ) -> Result<T> {
        let result = lifetime.until_exit(doing, operation).await;
        self.with_diagnosis(lifetime, result).await
    }

    /// Waits for the exit of the guest's process, which is no error afterwards.
    pub(crate) async fn wait_for_exit(&self, running: &Running) -> Result<ExitStatus> {
        let doing = "waiting for the guest to power off";
        self.step(doing, async {
            let lifetime = &running.lifetime;
            let end = lifetime.exit_within(self.limit, doing).await;
            let status = self.with_diagnosis(lifetime, end).await?;
            lifetime.expect_exit();
            Ok(status)
        })
        .await
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("name", &self.name())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
