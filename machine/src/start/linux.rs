//! Machines that start from a kernel.

mod busybox;
mod config;
mod decompress;
mod ext4;
mod hooks;
mod initramfs;
mod kernel;
mod launch;
mod modules;
mod oci;
mod own_initrd;
mod root;
mod root_archive;
mod root_image;
mod tree;

use std::path::PathBuf;

use self::root::Root;
pub(crate) use self::root_archive::RootArchive;
pub use self::root_archive::clear_roots;
use super::settings::{Settings, setters};

/// The host's program for roots without bash.
const BASH: &str = "bash-static";

const RESPAWN: &str = include_str!("guest/respawn.sh");

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
}

/// QEMU is started in another directory.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
