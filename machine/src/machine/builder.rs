//! Configuring a machine.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::boot::{Boot, Next, SavedStateSource, SharedSource};
use super::{DEFAULT_KEY_DELAY, Machine, Parts};
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::host::state_dir::StateDir;
use crate::host::vlan::{self, Vlan};
use crate::instance::boot_source::BootSource;
use crate::start::StartCommand;
use crate::sync::Mutex;

/// The configuration of a machine; made by [`Machine::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    start: StartCommand,
    name: Option<String>,
    tmp_dir: Option<PathBuf>,
    out_dir: PathBuf,
    keep_vm_state: bool,
    has_shell: bool,
    env: Vec<(OsString, OsString)>,
    next: Next,
}

impl Builder {
    pub(super) fn new(start: StartCommand) -> Self {
        Self {
            start,
            name: None,
            tmp_dir: None,
            out_dir: PathBuf::from("."),
            keep_vm_state: false,
            has_shell: true,
            env: Vec::new(),
            next: Next::default(),
        }
    }

    /// The machine's name. Default: that of the start command, or `machine`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The directory in which the state directory `vm-state-NAME` and the shared directory
    /// `shared-xchg` are created. Default: a new directory in the system's temporary
    /// directory, removed with the machine; if state is kept, the temporary directory
    /// itself. Sockets whose path would be too long there are in a directory of their own.
    pub fn tmp_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.tmp_dir = Some(dir.into());
        self
    }

    /// The directory for screenshots and copies from the guest. Default: the current directory.
    pub fn out_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.out_dir = dir.into();
        self
    }

    /// Keeps the state directory, in particular the disk, of an earlier machine of the same
    /// name, and leaves it for a later one.
    pub fn keep_vm_state(mut self, keep: bool) -> Self {
        self.keep_vm_state = keep;
        self
    }

    /// For a guest without a root shell: firmware, an installer, another operating system.
    ///
    /// Its console, screen, keyboard, pointer, monitors, snapshots and power work. An
    /// operation that needs the shell fails at once, with
    /// [`NoShell`](crate::ErrorKind::NoShell), where it would wait for the shell otherwise.
    /// [`TemplateBuilder::without_shell`](crate::TemplateBuilder::without_shell) is for its
    /// templates.
    ///
    /// ```no_run
    /// use machine::{Machine, QemuCommand};
    ///
    /// # async fn example() -> machine::Result<()> {
    /// let memtest = QemuCommand::new("memtest").args(["-cdrom", "memtest86+.iso"]);
    /// let vm = Machine::builder(memtest).without_shell().build()?;
    /// vm.start().await?;
    /// # #[cfg(feature = "screen")]
    /// vm.wait_for_text("Memtest86").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn without_shell(self) -> Self {
        self.shell(false)
    }

    pub(crate) fn shell(mut self, has_shell: bool) -> Self {
        self.has_shell = has_shell;
        self
    }

    /// Sets an environment variable for the start command.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Connects the machine to a network, which must outlive it. The guest gets a virtio network
    /// card, and configures its address itself. A start script, a shell command or a legacy
    /// command connects the card itself: it finds the network in the variable
    /// `QEMU_VDE_SOCKET_N`.
    pub fn vlan(mut self, vlan: &Vlan) -> Self {
        self.env.push(vlan.variable());
        self
    }

    /// Whether a network of this number is passed to the start command.
    pub(crate) fn is_on(&self, vlan: u32) -> bool {
        let variable = vlan::variable(vlan);
        self.env.iter().any(|(name, _)| *name == variable)
    }

    /// The environment variables for the start command.
    pub(crate) fn start_env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    /// What the machine's first start begins with.
    pub(crate) fn boot_source(mut self, source: BootSource) -> Self {
        self.next = Next::Source(Box::new(source));
        self
    }

    /// The same, provided when the machine is started.
    pub(crate) fn saved_state_source(mut self, source: Arc<SavedStateSource>) -> Self {
        self.next = Next::Provided(SharedSource(source));
        self
    }

    /// Creates the machine and its directories; it is not started yet.
    ///
    /// # Errors
    /// [`Name`](crate::ErrorKind::Name), [`StateDir`](crate::ErrorKind::StateDir),
    /// [`StateDirInUse`](crate::ErrorKind::StateDirInUse),
    /// [`SocketPathTooLong`](crate::ErrorKind::SocketPathTooLong), if it is so in the
    /// system's temporary directory, too.
    pub fn build(self) -> Result<Machine> {
        let name = self
            .name
            .or_else(|| self.start.machine_name())
            .unwrap_or_else(|| "machine".to_owned());
        let state = StateDir::create(self.tmp_dir.as_deref(), &name, self.keep_vm_state)
            .map_err(|kind| Error::new(&name, kind))?;
        let machine = Machine {
            guest: Guest::new(name, state, self.out_dir, self.has_shell),
            parts: Arc::new(Parts::new(self.start, self.env, self.next)),
            key_delay: DEFAULT_KEY_DELAY,
        };
        machine.start_on_demand();
        Ok(machine)
    }
}

impl Parts {
    fn new(start: StartCommand, env: Vec<(OsString, OsString)>, next: Next) -> Self {
        let base = match &next {
            Next::Source(source) => source.saved().cloned(),
            Next::Provided(_) => None,
        };
        Self {
            start: Mutex::new(start),
            start_dir: Mutex::default(),
            env,
            instance: Mutex::default(),
            starting: tokio::sync::Mutex::new(()),
            boot: Mutex::new(Boot { next, base }),
            #[cfg(feature = "screen")]
            reader: ocr::Reader::new(),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("start", &self.start)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
