//! Machines that start from a kernel.

mod busybox;
mod config;
mod decompress;
mod ext4;
mod hooks;
mod initramfs;
mod kernel;
mod modules;
mod oci;
mod own_initrd;
mod root;
mod root_archive;
mod root_image;
mod tree;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use self::kernel::{Feature, Kernel, builtin, module};
use self::root::{HOST_TAG, Root};
pub(crate) use self::root_archive::RootArchive;
pub use self::root_archive::clear_roots;
use super::File;
use super::base_image::{BaseImage, stamp_file};
use super::disk_image::DISK;
use super::settings::{Settings, setters};
use crate::error::ErrorKind;
use crate::host::accelerator::Accelerator;
use crate::host::blocking::blocking;
use crate::host::process::{CommandSpec, find_in_path};

/// The initramfs, in the machine's directory.
const INITRAMFS: &str = "initramfs.cpio";

/// The host's program for roots without bash.
const BASH: &str = "bash-static";

const RESPAWN: &str = include_str!("guest/respawn.sh");

/// The longest command line that Linux accepts on x86, in bytes.
const MAX_COMMAND_LINE: usize = 2047;

/// What every kernel needs.
const FEATURES: [Feature; 6] = [
    module("CONFIG_VIRTIO_PCI", "virtio_pci"),
    module("CONFIG_VIRTIO_CONSOLE", "virtio_console"),
    builtin("CONFIG_BLK_DEV_INITRD"),
    builtin("CONFIG_DEVTMPFS"),
    builtin("CONFIG_PROC_FS"),
    builtin("CONFIG_TMPFS"),
];

/// Modules that are loaded if the kernel has them: a network card, 9p for copies, the reports
/// of panics, the checksums of ext4.
const OPTIONAL_MODULES: [&str; 5] = [
    "virtio_net",
    "9pnet_virtio",
    "9p",
    "pvpanic_pci",
    "crc32c_generic",
];

/// The root's own program that is started first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Init {
    /// `/sbin/init`, if it exists.
    Auto,
    None,
    Path(String),
}

/// A machine that starts from a Linux kernel for x86, on a root of choice.
///
/// The kernel is booted directly. The driver makes its initramfs, with the kernel's modules
/// for the devices and the root, from which the root shell comes. Neither the kernel nor the
/// root needs any preparation, network or password. The root needs bash.
///
/// ```no_run
/// use machine::{Linux, Machine};
///
/// # async fn example() -> machine::Result<()> {
/// let kernel = Linux::new("linux/arch/x86/boot/bzImage").host_root();
/// let vm = Machine::new(kernel)?;
/// println!("{}", vm.succeed("uname -r; ./selftests/run").await?);
/// # Ok(())
/// # }
/// ```
///
/// # What the kernel needs
///
/// `CONFIG_VIRTIO_PCI`, `CONFIG_VIRTIO_CONSOLE`, `CONFIG_BLK_DEV_INITRD`,
/// `CONFIG_DEVTMPFS`, `CONFIG_PROC_FS` and `CONFIG_TMPFS`, and those that are said at the
/// kinds of root; built in or as modules. What is missing is an error before the start, if
/// the kernel's modules or its configuration can be read: a file `config-VERSION` beside the
/// kernel, `config` in the directory of its modules, `.config` in the directory in which it was
/// built, or `CONFIG_IKCONFIG`.
///
/// The host needs a `busybox` without libraries, as in Debian's package `busybox-static`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linux {
    pub(super) settings: Settings,
    kernel: PathBuf,
    modules_dir: Option<PathBuf>,
    command_line: String,
    root: Root,
    init: Init,
}

impl Linux {
    /// The kernel at `path`, a bzImage (`vmlinuz`) or an ELF file that QEMU can boot, which is
    /// not read before the machine starts: 1024 MiB of memory, one CPU, a user-mode network,
    /// and the host's best accelerator. A root has to be chosen.
    pub fn new(kernel: impl Into<PathBuf>) -> Self {
        Self {
            settings: Settings::new(None, 1024),
            kernel: absolute(kernel.into()),
            modules_dir: None,
            command_line: String::new(),
            root: Root::Missing,
            init: Init::Auto,
        }
    }

    /// The machine's name, and the guest's host name. Default: `machine`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    setters!(settings);

    /// The directory of the kernel's modules, with `modules.dep`. Default: `/lib/modules/VERSION`
    /// beside the directory of the kernel, as in an unpacked package, or that of the host. A
    /// kernel may have no modules.
    #[must_use]
    pub fn modules_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.modules_dir = Some(absolute(dir.into()));
        self
    }

    /// More parameters for the kernel, after the driver's: `console=ttyS0 panic=-1`, the host
    /// name for systemd and, for emulation, `no_timer_check tsc=unstable norandmaps`.
    #[must_use]
    pub fn command_line(mut self, parameters: &str) -> Self {
        self.command_line.push(' ');
        self.command_line.push_str(parameters);
        self
    }

    /// This host's own root, read-only; what the guest writes is kept in its memory. `/tmp` and
    /// `/run` are empty. No init is started unless [one is chosen](Self::init).
    ///
    /// The guest can read everything that the user can read. It may not see what the host
    /// changes while it runs.
    ///
    /// A machine with this root can't be saved, because the guest uses a share of the host: it
    /// has no templates, clones and snapshots.
    ///
    /// The kernel needs `CONFIG_NET_9P_VIRTIO`, `CONFIG_9P_FS` and `CONFIG_OVERLAY_FS`.
    #[must_use]
    pub fn host_root(mut self) -> Self {
        self.root = Root::Host;
        self
    }

    /// A copy of this directory, which is not changed: an unpacked system. What belongs to the
    /// user belongs to root in the guest.
    ///
    /// Directories, archives and container images are made into ext4 disk images of their
    /// contents and 2 GiB, without root privileges, by e2fsprogs: once for each version, in
    /// `$XDG_CACHE_HOME/vmwright/roots`. The machine writes to an overlay in its state
    /// directory. Extended attributes are not kept.
    ///
    /// The kernel needs `CONFIG_VIRTIO_BLK` and `CONFIG_EXT4_FS`. Modules besides those that
    /// the driver loads have to be in the root's `/lib/modules`.
    #[must_use]
    pub fn root_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.root = Root::Dir(absolute(dir.into()));
        self
    }

    /// The contents of a tar archive, which may be compressed by gzip, xz or zstd; as with
    /// [`root_dir`](Self::root_dir), with the owners in the archive. Devices are only
    /// accepted in `/dev`, and omitted, as the guest's kernel provides those.
    #[must_use]
    pub fn root_tar(mut self, archive: impl Into<PathBuf>) -> Self {
        self.root = Root::Archive(RootArchive::Tar(absolute(archive.into())));
        self
    }

    /// The container image in an OCI layout, a directory as by `skopeo copy … oci:DIR`, for
    /// amd64; as with [`root_tar`](Self::root_tar). Its configuration (command, user,
    /// variables) has no effect.
    #[must_use]
    pub fn oci_layout(mut self, dir: impl Into<PathBuf>) -> Self {
        self.root = Root::Archive(RootArchive::Oci(absolute(dir.into())));
        self
    }

    /// An initrd of the user, such as a distribution's or an installer, which mounts the root, if
    /// it does. It is unpacked as it is, and then hooks of its own init, by which the root shell
    /// is started:
    ///
    /// - in Debian's installer, at its start;
    /// - in initramfs-tools and dracut, for a root with systemd and bash, by a unit in `/run`.
    ///
    /// Disks are those of [`args`](Self::args), and the root's is said on the
    /// [command line](Self::command_line):
    ///
    /// ```no_run
    /// use machine::{Linux, Machine};
    ///
    /// # fn example() -> machine::Result<()> {
    /// let disk = "if=virtio,snapshot=on,format=qcow2,file=/images/server.qcow2";
    /// let server = Linux::new("/boot/vmlinuz")
    ///     .initrd("/boot/initrd.img")
    ///     .args(["-drive", disk])
    ///     .command_line("root=/dev/vda1");
    /// let vm = Machine::new(server)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In an initrd with another init, nothing starts the shell: use it
    /// [without one](crate::Builder::without_shell).
    #[must_use]
    pub fn initrd(mut self, path: impl Into<PathBuf>) -> Self {
        self.root = Root::Initrd(absolute(path.into()));
        self
    }

    /// The program in the root that is started first, such as `/sbin/init`. Default: that one
    /// if the root has it, unless the root is the host's. systemd and others start the root
    /// shell early in the boot.
    #[must_use]
    pub fn init(mut self, path: impl Into<String>) -> Self {
        self.init = Init::Path(path.into());
        self
    }

    /// Starts no init in the root: the driver's own, which is PID 1, mounts what programs
    /// expect, and starts the root shell. `poweroff` and `reboot` in the shell work.
    #[must_use]
    pub fn no_init(mut self) -> Self {
        self.init = Init::None;
        self
    }

    /// Why it can't be saved, and so has no templates.
    pub(super) fn unsupported_reason(&self) -> Option<&'static str> {
        (self.root == Root::Host).then_some(
            "its root is that of the host, a 9p share that the guest uses: boot it for each \
             test, or give it another root",
        )
    }

    pub(super) fn spec(&self, accelerator: Accelerator) -> CommandSpec {
        let mut args: Vec<OsString> = vec!["-kernel".into(), self.kernel.clone().into()];
        let line = self.whole_command_line(accelerator);
        args.extend(["-initrd", INITRAMFS, "-append", &line].map(OsString::from));
        if self.root == Root::Host {
            let device = format!("virtio-9p-pci,fsdev=root,mount_tag={HOST_TAG}");
            // Several file systems of the host have files with the same number.
            let share = "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap";
            args.extend(["-fsdev", share, "-device", &device].map(OsString::from));
        }
        if self.root.is_disk() {
            let disk = format!("if=virtio,format=qcow2,discard=unmap,file={DISK}");
            args.extend(["-drive", &disk].map(OsString::from));
        }
        CommandSpec {
            program: "qemu-system-x86_64".into(),
            args: self.settings.args(accelerator, args),
        }
    }

    fn whole_command_line(&self, accelerator: Accelerator) -> String {
        // A busy host misses timer interrupts of an emulated guest, whose kernel then
        // considers the timer broken, or its clock wrong. QEMU translates code again for each
        // address: libraries at the same address in all processes save time.
        let emulation = match accelerator {
            Accelerator::Kvm => "",
            Accelerator::Tcg => " no_timer_check tsc=unstable norandmaps",
        };
        format!(
            "console=ttyS0 panic=-1{emulation} cryptomgr.notests systemd.hostname={}{}",
            self.settings.name(),
            self.command_line
        )
    }

    /// The files that its arguments name.
    ///
    /// # Errors
    /// [`BadArgument`](ErrorKind::BadArgument), [`Kernel`](ErrorKind::Kernel),
    /// [`Root`](ErrorKind::Root).
    pub(super) fn files(&self) -> Result<Vec<File>, ErrorKind> {
        self.check_arguments()?;
        let kernel = Kernel::open(&self.kernel, self.modules_dir.as_deref())?;
        let required = [FEATURES.to_vec(), self.root.features()].concat();
        if self.root == Root::Host {
            let checked = root_image::check(Path::new("/"), true);
            checked.map_err(|error| self.root_error(error))?;
        }
        let archive = if let Root::Initrd(path) = &self.root {
            // It has modules of its own.
            kernel.check_options(&required)?;
            hooks::appended_to(path).map_err(|error| self.root_error(error))?
        } else {
            let order = kernel.files(&required, &OPTIONAL_MODULES)?;
            let archive = self.own_initrd(&kernel, &order);
            archive.map_err(|error| kernel.failed("making its initramfs", error))?
        };
        Ok(vec![File {
            path: INITRAMFS.to_owned(),
            contents: archive,
        }])
    }

    /// Creates the machine's disk, if the root is on one and the disk does not exist.
    ///
    /// # Errors
    /// [`Root`](ErrorKind::Root), [`Image`](ErrorKind::Image).
    pub(super) async fn create_disk(&self, disk: &Path) -> Result<(), ErrorKind> {
        let is_clone = disk.exists() && !stamp_file(disk).exists();
        if !self.root.is_disk() || is_clone {
            return Ok(());
        }
        let linux = self.clone();
        let image = blocking(move || linux.root_image()).await;
        let image = BaseImage::new(image.map_err(|error| self.root_error(error))?);
        if disk.exists() {
            return image.check_overlay(disk);
        }
        image.create_overlay_as("raw", disk).await
    }

    /// Whether the initrd is the user's.
    pub(super) fn has_own_initrd(&self) -> bool {
        matches!(self.root, Root::Initrd(_))
    }

    fn root_image(&self) -> io::Result<PathBuf> {
        root_image::find_or_make(&self.root, find_in_path(BASH).is_none())
    }

    /// What identifies the disk image that the root is on. One that was made again has the same
    /// files, but at other places.
    pub(super) fn root_version(&self) -> io::Result<String> {
        if !self.root.is_disk() {
            return Ok(String::new());
        }
        let image = self.root_image()?;
        let made = image.metadata()?.modified()?;
        let made = made.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(format!("{} {}", image.display(), made.as_nanos()))
    }

    fn root_error(&self, source: io::Error) -> ErrorKind {
        ErrorKind::Root {
            path: self.root.path().to_owned(),
            source,
        }
    }

    fn check_arguments(&self) -> Result<(), ErrorKind> {
        let line = self.whole_command_line(Accelerator::Tcg);
        let reason = if self.root == Root::Missing {
            "no root was chosen: `host_root()`, say".to_owned()
        } else if matches!(self.root, Root::Initrd(_)) && self.init != Init::Auto {
            "an initrd starts the root's init itself: add `init=` to the command line".to_owned()
        } else if line.len() > MAX_COMMAND_LINE {
            format!(
                "its command line has {} bytes, and {MAX_COMMAND_LINE} is the most",
                line.len()
            )
        } else {
            return Ok(());
        };
        Err(ErrorKind::BadArgument {
            doing: format!("starting the kernel {}", self.kernel.display()),
            reason,
        })
    }
}

/// QEMU is started in another directory.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
