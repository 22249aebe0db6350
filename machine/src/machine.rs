//! `Machine`: a guest and the QEMU that runs it.
//!
//! The operations on the guest are those of [`Guest`](crate::Guest), to which a machine
//! dereferences; those on QEMU are in `machine/`, one concern a file.

mod boot;
mod builder;
mod interact;
mod keyboard;
mod lifecycle;
mod monitor;
mod network;
#[cfg(feature = "screen")]
mod pointer;
mod save;
#[cfg(feature = "screen")]
mod screen;
mod snapshot;
#[cfg(feature = "screen")]
mod text;
#[cfg(feature = "screen")]
mod text_search;
mod virtual_terminals;
mod windows;

use std::ffi::OsString;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use builder::Builder;
#[cfg(feature = "screen")]
pub use pointer::Button;

use self::boot::Boot;
use crate::error::{ErrorKind, Result};
use crate::guest::{Guest, PollingCondition};
pub use crate::instance::snapshots::Snapshot;
use crate::instance::{Instance, Monitors};
use crate::start::StartCommand;
use crate::sync::Mutex;
use crate::time_scale::scaled;

/// The default pause of [`Machine::send_key`] after a key.
pub const DEFAULT_KEY_DELAY: Duration = Duration::from_millis(10);

/// One virtual machine: a handle, cheap to clone.
///
/// It dereferences to its [`Guest`], which has the operations that go through the guest's
/// root shell and serial console: commands, units, files, ports. The machine's own
/// operations are those of QEMU: power, monitors, keyboard, screen, snapshots.
///
/// Operations take `&self` and may run at the same time: a wait on the console
/// beside a command, say. Commands queue for the guest's one root shell.
///
/// The time limit of operations and the pace of typing belong to the handle:
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
/// Dropping the last handle kills QEMU and every process that the start command has
/// spawned, as does the end of this process, whatever its cause.
///
/// If QEMU exits, every running operation fails at once with [`ErrorKind::Exited`].
///
/// # Cancellation
///
/// Unless an operation says otherwise, dropping its future cancels it: a wait has no
/// effect, a command is ended in the guest before the next one runs. A request that was
/// sent to QEMU already may still be carried out. The machine stays usable.
#[derive(Clone)]
pub struct Machine {
    parts: Arc<Parts>,
    guest: Guest,
    key_delay: Duration,
}

/// What all handles of a machine share, besides its guest.
struct Parts {
    start: Mutex<StartCommand>,
    /// Where the start command runs, if not in the state directory.
    start_dir: Mutex<Option<PathBuf>>,
    /// Environment variables for the start command, besides this process's.
    env: Vec<(OsString, OsString)>,
    /// QEMU as it was last started.
    instance: Mutex<Option<Arc<Instance>>>,
    /// Locked while the machine is being started.
    starting: tokio::sync::Mutex<()>,
    boot: Mutex<Boot>,
    #[cfg(feature = "screen")]
    reader: ocr::Reader,
}

impl Machine {
    /// A machine with default settings; not started yet.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(start: impl Into<StartCommand>) -> Result<Self> {
        Self::builder(start).build()
    }

    /// A machine to be configured further.
    pub fn builder(start: impl Into<StartCommand>) -> Builder {
        Builder::new(start.into())
    }

    /// The guest, which a machine also dereferences to.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// A handle whose operations have this time limit: see [`Guest::within`].
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        self.with_guest(self.guest.limited(scaled(limit)))
    }

    /// As [`Guest::polling_condition`], with a machine for the check.
    pub fn polling_condition<F>(
        &self,
        description: impl Into<String>,
        interval: Duration,
        check: impl Fn(Self) -> F + Send + Sync + 'static,
    ) -> PollingCondition
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        let vm = self.clone();
        let check = move |guest| check(vm.with_guest(guest));
        self.guest.polling_condition(description, interval, check)
    }

    /// A handle whose operations check no polling conditions, like the one that the check of
    /// a [`polling_condition`](Self::polling_condition) is passed.
    #[must_use]
    pub fn unchecked(&self) -> Self {
        self.with_guest(self.guest.unchecked())
    }

    fn with_guest(&self, guest: Guest) -> Self {
        Self {
            guest,
            ..self.clone()
        }
    }

    /// QEMU, without a check of the polling conditions.
    fn unchecked_instance(&self, doing: &str) -> Result<Arc<Instance>> {
        let instance = self.parts.instance.lock().clone();
        instance.ok_or_else(|| self.not_running(doing))
    }

    fn set_instance(&self, instance: Option<Arc<Instance>>) {
        let running = instance.as_ref().map(|it| Arc::clone(&it.running));
        let before = std::mem::replace(&mut *self.parts.instance.lock(), instance);
        self.guest.set_current(running);
        // Kills its QEMU, after the lock was released.
        drop(before);
    }

    /// QEMU, for an operation of a test: checks the polling conditions first.
    async fn checked_instance(&self, doing: &str) -> Result<Arc<Instance>> {
        let instance = self.unchecked_instance(doing)?;
        self.check_conditions().await?;
        Ok(instance)
    }

    /// Runs an operation of a test on QEMU, whose exit ends it.
    async fn on_qemu<T>(
        &self,
        doing: &str,
        operation: impl AsyncFnOnce(Monitors<'_>) -> Result<T, ErrorKind>,
    ) -> Result<T> {
        let instance = self.checked_instance(doing).await?;
        instance.request(&self.guest, doing, operation).await
    }
}

impl Deref for Machine {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("guest", &self.guest)
            .field("key_delay", &self.key_delay)
            .finish_non_exhaustive()
    }
}
