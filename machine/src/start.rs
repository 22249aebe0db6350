//! Start commands: how a machine's QEMU is started.

mod legacy;
mod script;
mod shell;
mod typed;

use std::path::Path;

pub use legacy::LegacyStartCommand;
pub use script::StartScript;
pub use shell::ShellCommand;
pub use typed::QemuCommand;

use crate::error::ErrorKind;
use crate::host::accelerator::Accelerator;
use crate::host::process::CommandSpec;

/// How a machine's QEMU is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartCommand {
    /// A script that starts QEMU, named `run-NAME-vm`.
    Script(StartScript),
    /// The arguments of the reference driver's ad-hoc machines.
    Legacy(LegacyStartCommand),
    /// A shell command line that starts QEMU.
    Shell(ShellCommand),
    /// QEMU itself, described in Rust.
    Qemu(QemuCommand),
}

impl StartCommand {
    /// The machine's name, if the command defines one.
    pub(crate) fn machine_name(&self) -> Option<String> {
        match self {
            Self::Script(script) => script.machine_name(),
            Self::Legacy(_) | Self::Shell(_) => None,
            Self::Qemu(qemu) => Some(qemu.machine_name().to_owned()),
        }
    }

    /// The process to spawn.
    pub(crate) fn spec(
        &self,
        accelerator: Accelerator,
        shared_dir: &Path,
    ) -> Result<CommandSpec, ErrorKind> {
        match self {
            Self::Script(script) => script.spec(),
            Self::Legacy(legacy) => Ok(legacy.spec()),
            Self::Shell(shell) => Ok(shell.spec()),
            Self::Qemu(qemu) => Ok(qemu.spec(accelerator, shared_dir)),
        }
    }

    /// Whether the driver adds the words of `$QEMU_OPTS`: a start script does so itself.
    pub(crate) fn wants_qemu_opts(&self) -> bool {
        !matches!(self, Self::Script(_))
    }
}

impl From<StartScript> for StartCommand {
    fn from(script: StartScript) -> Self {
        Self::Script(script)
    }
}

impl From<LegacyStartCommand> for StartCommand {
    fn from(legacy: LegacyStartCommand) -> Self {
        Self::Legacy(legacy)
    }
}

impl From<ShellCommand> for StartCommand {
    fn from(shell: ShellCommand) -> Self {
        Self::Shell(shell)
    }
}

impl From<QemuCommand> for StartCommand {
    fn from(qemu: QemuCommand) -> Self {
        Self::Qemu(qemu)
    }
}
