//! Start commands: how a machine's QEMU is started.

mod base_image;
mod cloud_image;
pub(crate) mod credentials;
pub(crate) mod disk_image;
mod legacy;
mod linux;
mod missing_greeting;
mod script;
mod seed;
pub(crate) mod serial_login;
mod settings;
mod shell;
mod typed;
mod user_data;

use std::path::Path;
use std::{fs, io};

pub use cloud_image::CloudImage;
pub use disk_image::DiskImage;
pub use legacy::LegacyStartCommand;
pub(crate) use linux::RootArchive;
pub use linux::{Linux, clear_roots};
pub use script::StartScript;
pub(crate) use settings::is_host_name;
pub use shell::ShellCommand;
pub use typed::QemuCommand;

use self::disk_image::DISK;
use self::serial_login::SerialLogin;
use crate::error::ErrorKind;
use crate::host::accelerator::Accelerator;
use crate::host::blocking::blocking;
use crate::host::files::at;
use crate::host::process::CommandSpec;

/// How a machine's QEMU is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartCommand {
    /// A script that starts QEMU, named `run-NAME-vm`.
    Script(StartScript),
    /// The arguments of the NixOS test driver's ad-hoc machines.
    Legacy(LegacyStartCommand),
    /// A shell command line that starts QEMU.
    Shell(ShellCommand),
    /// QEMU itself, described in Rust.
    Qemu(QemuCommand),
    /// A disk image.
    Disk(DiskImage),
    /// A disk image with cloud-init.
    Cloud(CloudImage),
    /// A kernel.
    Linux(Linux),
}

/// A file that a start command needs in the machine's directory.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its path in that directory.
    pub(crate) path: String,
    pub(crate) contents: Vec<u8>,
}

impl StartCommand {
    /// The machine's name, if the command defines one.
    pub(crate) fn machine_name(&self) -> Option<String> {
        match self {
            Self::Script(script) => script.machine_name(),
            Self::Legacy(_) | Self::Shell(_) => None,
            Self::Qemu(qemu) => qemu.settings.name.clone(),
            Self::Disk(disk) | Self::Cloud(CloudImage { disk, .. }) => disk.settings.name.clone(),
            Self::Linux(linux) => linux.settings.name.clone(),
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
            Self::Disk(disk) => Ok(disk.spec(accelerator, &[])),
            Self::Cloud(cloud) => Ok(cloud.spec(accelerator)),
            Self::Linux(linux) => Ok(linux.spec(accelerator)),
        }
    }

    /// What identifies the image below the machine's own disk, if the driver creates that disk.
    pub(crate) fn disk_version(&self) -> io::Result<Option<String>> {
        match self {
            Self::Linux(linux) => linux.root_version().map(Some),
            _ => self.disk().map(|disk| disk.image.version()).transpose(),
        }
    }

    /// The disk image that the machine's own disk is an overlay on.
    pub(crate) fn base_image(&self) -> Option<&Path> {
        self.disk().map(|disk| &*disk.image.path)
    }

    /// The files that the process needs in its directory, besides the disk.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument), [`Kernel`](ErrorKind::Kernel),
    /// [`Root`](ErrorKind::Root).
    pub(crate) fn files(&self) -> Result<Vec<File>, ErrorKind> {
        match self {
            Self::Disk(_) => Ok(credentials::files()),
            Self::Cloud(cloud) => cloud.files(),
            Self::Linux(linux) => linux.files(),
            Self::Script(_) | Self::Legacy(_) | Self::Shell(_) | Self::Qemu(_) => Ok(Vec::new()),
        }
    }

    /// Creates these files and the disk in `dir`. A disk that exists is kept.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument), [`Image`](ErrorKind::Image),
    /// [`Kernel`](ErrorKind::Kernel), [`Root`](ErrorKind::Root),
    /// [`StateDir`](ErrorKind::StateDir).
    pub(crate) async fn prepare(&self, dir: &Path) -> Result<(), ErrorKind> {
        let start = self.clone();
        let files = blocking(move || start.files()).await?;
        if let Some(disk) = self.disk() {
            disk.image.create_overlay(&dir.join(DISK)).await?;
        }
        if let Self::Linux(linux) = self {
            linux.create_disk(&dir.join(DISK)).await?;
        }
        let dir = dir.to_owned();
        blocking(move || {
            for file in files {
                let path = dir.join(&file.path);
                write(&path, &file.contents).map_err(at(&path))?;
            }
            Ok(())
        })
        .await
    }

    /// Whether a port must be plugged in for older versions of systemd to start the shell.
    pub(crate) fn needs_start_port(&self) -> bool {
        self.disk().is_some()
    }

    /// The user who is logged in on the serial console.
    pub(crate) fn serial_login(&self) -> Option<&SerialLogin> {
        self.disk()?.login.as_ref()
    }

    fn disk(&self) -> Option<&DiskImage> {
        match self {
            Self::Disk(disk) | Self::Cloud(CloudImage { disk, .. }) => Some(disk),
            _ => None,
        }
    }

    /// Why a machine that is started so can't be saved, if that is known before.
    pub(crate) fn unsupported_reason(&self) -> Option<&'static str> {
        match self {
            Self::Linux(linux) => linux.unsupported_reason(),
            _ => None,
        }
    }

    /// Whether the driver connects network cards: other commands find the networks in their
    /// environment.
    pub(crate) fn wants_network_cards(&self) -> bool {
        !matches!(self, Self::Script(_) | Self::Legacy(_) | Self::Shell(_))
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

impl From<DiskImage> for StartCommand {
    fn from(disk: DiskImage) -> Self {
        Self::Disk(disk)
    }
}

impl From<Linux> for StartCommand {
    fn from(linux: Linux) -> Self {
        Self::Linux(linux)
    }
}

impl From<CloudImage> for StartCommand {
    fn from(cloud: CloudImage) -> Self {
        Self::Cloud(cloud)
    }
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, contents)
}
