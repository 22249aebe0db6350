//! `Machine`: its parts, and the plumbing that all operations share.
//!
//! The operations are in `machine/`, one concern a file.

mod builder;
mod console;
mod lifecycle;
mod monitor;
#[cfg(feature = "ocr")]
mod screen;
mod shell;
mod step;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backdoor_shell::Shell;
use qmp_mon::{Hmp, Qmp};
use tokio::net::UnixStream;

pub use builder::Builder;

use crate::error::{Error, ErrorKind, Result};
use crate::qemu::Qemu;
use crate::start::StartCommand;
use crate::state_dir::StateDir;
use crate::waiting::{self, InVain, Look};

/// One virtual machine.
///
/// Operations take `&self` and may run at the same time: a wait on the console
/// beside a command, say. Commands queue for the guest's one root shell.
///
/// Dropping a machine kills its QEMU and all that its start command has
/// spawned, as does the end of this process, whatever its cause.
///
/// Whichever operation runs when QEMU ends, it ends at once with
/// [`ErrorKind::Exited`].
#[derive(Debug)]
pub struct Machine {
    name: String,
    start: StartCommand,
    /// Before the state directory, which must not go before QEMU has.
    running: Mutex<Option<Arc<Running>>>,
    /// Held while the machine is being started.
    starting: tokio::sync::Mutex<()>,
    state: StateDir,
    out_dir: PathBuf,
}

/// A QEMU and our lines to it.
#[derive(Debug)]
struct Running {
    qemu: Qemu,
    hmp: Hmp,
    qmp: Qmp,
    shell: tokio::sync::Mutex<Shell<UnixStream>>,
    /// Whether the shell was connected when somebody last let go of it.
    is_connected: AtomicBool,
    /// Somebody waited for the end and got it: it is news to nobody.
    end_is_known: AtomicBool,
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

    /// The machine's name: what it was given, or NAME of its `run-NAME-vm`, or
    /// `machine`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the machine keeps its state: disk, sockets, `console.log`.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// The host's side of the directory shared with the guest.
    pub fn shared_dir(&self) -> &Path {
        self.state.shared()
    }

    /// Where screenshots go.
    pub fn out_dir(&self) -> &Path {
        &self.out_dir
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
    fn current(&self) -> Option<Arc<Running>> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_current(&self, running: Option<Arc<Running>>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn running(&self, doing: &str) -> Result<Arc<Running>> {
        self.current().ok_or_else(|| {
            self.error(ErrorKind::NotRunning {
                doing: doing.to_owned(),
            })
        })
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(&self.name, kind)
    }

    /// Runs `operation` on the running QEMU, whose end ends it.
    async fn on_qemu<T>(
        &self,
        doing: &str,
        operation: impl AsyncFnOnce(&Running) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        let running = self.running(doing)?;
        let result = running.qemu.or_exit(doing, operation(&running)).await;
        result.map_err(|kind| self.error(kind))
    }

    /// Looks until `what` has happened, for at most `limit`. QEMU's end ends it.
    async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl AsyncFnMut(Duration) -> Result<Look<T>>,
    ) -> Result<T> {
        let running = self.running(what)?;
        // The looks' own errors pass through beside those of QEMU's end.
        let waited = running
            .qemu
            .or_exit(what, async {
                Ok(waiting::wait(limit, async |left| look(left).await).await)
            })
            .await;
        match waited.map_err(|kind| self.error(kind))?? {
            Ok(value) => Ok(value),
            Err(InVain { looks, last_seen }) => Err(self.error(ErrorKind::TimedOut {
                what: what.to_owned(),
                waited: limit,
                looks,
                last_seen,
                console: running.qemu.last_console_lines(),
            })),
        }
    }
}
