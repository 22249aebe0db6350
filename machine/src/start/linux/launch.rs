//! What QEMU is started with.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::kernel::{Feature, Kernel, builtin, module};
use super::root::{HOST_TAG, Root};
use super::{BASH, Init, Linux, hooks, root_image};
use crate::error::ErrorKind;
use crate::host::accelerator::Accelerator;
use crate::host::blocking::blocking;
use crate::host::process::{CommandSpec, find_in_path};
use crate::start::File;
use crate::start::base_image::{BaseImage, stamp_file};
use crate::start::disk_image::DISK;

/// The initramfs, in the machine's directory.
const INITRAMFS: &str = "initramfs.cpio";

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

impl Linux {
    /// Why it can't be saved, and so has no templates.
    pub(in crate::start) fn unsupported_reason(&self) -> Option<&'static str> {
        (self.root == Root::Host).then_some(
            "its root is that of the host, a 9p share that the guest uses: boot it for each \
             test, or give it another root",
        )
    }

    pub(in crate::start) fn spec(&self, accelerator: Accelerator) -> CommandSpec {
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
    pub(in crate::start) fn files(&self) -> Result<Vec<File>, ErrorKind> {
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
    pub(in crate::start) async fn create_disk(&self, disk: &Path) -> Result<(), ErrorKind> {
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
    pub(in crate::start) fn has_own_initrd(&self) -> bool {
        matches!(self.root, Root::Initrd(_))
    }

    fn root_image(&self) -> io::Result<PathBuf> {
        root_image::find_or_make(&self.root, find_in_path(BASH).is_none())
    }

    /// What identifies the disk image that the root is on. One that was made again has the same
    /// files, but at other places.
    pub(in crate::start) fn root_version(&self) -> io::Result<String> {
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
        } else if self.has_own_initrd() && self.init != Init::Auto {
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
