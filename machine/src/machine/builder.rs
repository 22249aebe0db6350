//! Describing a machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use crate::error::{Error, Result};
use crate::guest::conditions::Conditions;
use crate::guest::console_watch::Signs;
use crate::host::state_dir::StateDir;
use crate::host::vlan::Vlan;
use crate::instance::saved_state::Origin;
use crate::machine::{DEFAULT_KEY_DELAY, DEFAULT_LIMIT, Machine, Parts};
use crate::start::StartCommand;
use crate::time_scale::scaled;

/// A machine that is being described; made by [`Machine::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    start: StartCommand,
    name: Option<String>,
    tmp_dir: Option<PathBuf>,
    out_dir: PathBuf,
    keep_vm_state: bool,
    env: Vec<(OsString, OsString)>,
    origin: Origin,
    templates: Option<PathBuf>,
}

impl Builder {
    pub(crate) fn new(start: StartCommand) -> Self {
        Self {
            start,
            name: None,
            tmp_dir: None,
            out_dir: PathBuf::from("."),
            keep_vm_state: false,
            env: Vec::new(),
            origin: Origin::Boot,
            templates: None,
        }
    }

    /// The machine's name. By default what the start command says, else `machine`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where the state directory `vm-state-NAME` and the shared directory
    /// `shared-xchg` are made. By default in a new directory of the system's
    /// temporary one, removed with the machine; where state is to be kept, in the
    /// system's temporary directory itself. Sockets whose path would be too long there
    /// are in a directory of the system's temporary one in any case.
    pub fn tmp_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.tmp_dir = Some(dir.into());
        self
    }

    /// Where screenshots go. By default the current directory.
    pub fn out_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.out_dir = dir.into();
        self
    }

    /// Keeps what an earlier machine of the same name left in the state
    /// directory, its disk above all, and leaves it for a later one.
    pub fn keep_vm_state(mut self, keep: bool) -> Self {
        self.keep_vm_state = keep;
        self
    }

    /// Sets an environment variable for the start command.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Tells the start command of a network, which must outlive the machine. It is
    /// for the start command to connect a network card to it.
    pub fn vlan(mut self, vlan: &Vlan) -> Self {
        self.env.push(vlan.variable());
        self
    }

    /// Whether the start command is told of a network of this number.
    pub(crate) fn is_on(&self, vlan: u32) -> bool {
        let variable = crate::host::vlan::variable(vlan);
        self.env.iter().any(|(name, _)| *name == variable)
    }

    /// How much the start command is told.
    pub(crate) fn env_len(&self) -> usize {
        self.env.len()
    }

    /// Has the first start go on from a template of the start command, kept in `cache_dir`;
    /// if there is none, it is made, which takes a boot and up to half a minute. So the
    /// guest has booted when it starts, alone on networks of its networks' numbers, and its
    /// console log begins after that.
    ///
    /// A machine boots all the same, and the reason is told at WARN, if it can't be saved,
    /// if its state is [kept](Self::keep_vm_state), or it has a [variable](Self::env) or a
    /// disk already. A guest without the root shell does so after the 15 minutes for which
    /// it is waited each time. What a start script reads from the environment makes no
    /// other template, but for `NIX_DISK_IMAGE`, `NIX_EFI_VARS`, `NIX_SWTPM_DIR`, and what
    /// begins with `QEMU_`, `VM_NODES` or `VM_VLANS`; what a line of the shell's names does.
    /// The directory must be this user's, and not everybody's to write to. Templates stay until they are [cleared](crate::Template::clear).
    ///
    /// A [`Template`](crate::Template) of one's own can be prepared, too.
    pub fn templates(mut self, cache_dir: impl Into<PathBuf>) -> Self {
        self.templates = Some(cache_dir.into());
        self
    }

    /// How the machine's first start begins.
    pub(crate) fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self.templates = None;
        self
    }

    /// Makes the machine and its directories; it is not started yet.
    ///
    /// # Errors
    /// [`Name`](crate::ErrorKind::Name), [`StateDir`](crate::ErrorKind::StateDir),
    /// [`StateDirInUse`](crate::ErrorKind::StateDirInUse),
    /// [`SocketPathTooLong`](crate::ErrorKind::SocketPathTooLong), if it is in the
    /// system's temporary directory, too.
    pub fn build(self) -> Result<Machine> {
        let name = self
            .name
            .or_else(|| self.start.machine_name())
            .unwrap_or_else(|| "machine".to_owned());
        let state = StateDir::create(self.tmp_dir.as_deref(), &name, self.keep_vm_state)
            .map_err(|kind| Error::new(&name, kind))?;
        let saved = self.origin.saved().cloned();
        Ok(Machine {
            parts: Arc::new(Parts {
                name,
                start: Mutex::new(self.start),
                env: self.env,
                running: Mutex::new(None),
                starting: tokio::sync::Mutex::new(()),
                saved: saved.map_or_else(OnceLock::new, OnceLock::from),
                origin: Mutex::new(self.origin),
                templates: Mutex::new(self.templates),
                state,
                out_dir: self.out_dir,
                conditions: Conditions::default(),
                shows_serial: Arc::new(AtomicBool::new(true)),
                signs: Arc::new(Mutex::new(Signs::default())),
                #[cfg(feature = "ocr")]
                reader: ocr::Reader::new(),
            }),
            limit: scaled(DEFAULT_LIMIT),
            key_delay: DEFAULT_KEY_DELAY,
            checks_conditions: true,
        })
    }
}
