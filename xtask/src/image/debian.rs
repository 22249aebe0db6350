//! An image with a Debian system on its disk, made without root.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::initramfs::{Initramfs, VLANS};
use super::kernel::{GUEST_MODULES, Kernel};
use super::start_script;
use crate::host::{find, is_root};
use crate::util::{Progress, run};

const SUITE: &str = "bookworm";

/// The initramfs' `/init`, which makes way for the one on the disk.
const INIT: &str = include_str!("../../images/common/disk-init");

/// Modules for hardware that no virtual machine has: the large ones of them.
const NO_MODULES: [&str; 9] = [
    "drivers/gpu/drm/amd",
    "drivers/gpu/drm/i915",
    "drivers/gpu/drm/nouveau",
    "drivers/gpu/drm/radeon",
    "drivers/iio",
    "drivers/infiniband",
    "drivers/media",
    "drivers/net/wireless",
    "drivers/staging",
];

/// Files of a guest's: their paths in it, and their text.
pub(super) type Files = &'static [(&'static str, &'static str)];

/// The files of `xtask/images/IMAGE/root` that are named.
macro_rules! root_files {
    ($image:literal, $($path:literal),* $(,)?) => {
        &[
            $(($path, include_str!(concat!("../../images/", $image, "/root/", $path)))),*
        ]
    };
}
pub(super) use root_files;

/// The guest's side of the driver's root shell.
pub(super) const BACKDOOR: Files = &[(
    "usr/local/sbin/backdoor",
    include_str!("../../images/common/backdoor"),
)];

/// What makes one Debian system differ from another.
pub(super) struct Debian {
    /// The image's name.
    pub(super) name: &'static str,
    /// The guest's memory, as QEMU's `-m` takes it.
    pub(super) memory: &'static str,
    /// Devices beside those of every image, as QEMU's `-device` takes them.
    pub(super) devices: &'static [&'static str],
    /// The root file system's size, as `mke2fs` takes it. The file is sparse.
    pub(super) disk_size: &'static str,
    /// Packages beside the essential ones, one a line.
    pub(super) packages: &'static [&'static str],
    /// Files beside those of packages: their paths and their text.
    pub(super) files: &'static [Files],
    /// A shell script, in parts, that runs in the new system once all files are
    /// there.
    pub(super) setup: &'static [&'static str],
}

impl Debian {
    /// What the image depends on, beside this program's source.
    pub(super) fn inputs(&self) -> Vec<&'static str> {
        // Each field by its name, so that none can be forgotten.
        let Self {
            name,
            memory,
            devices,
            disk_size,
            packages,
            files,
            setup,
        } = *self;
        let files = files.iter().copied().flatten();
        let mut inputs = vec![INIT, VLANS, name, memory, disk_size];
        inputs.extend(devices.iter().chain(packages).chain(setup));
        inputs.extend(files.flat_map(|(path, text)| [path, text]));
        inputs
    }

    /// Builds the image in the empty directory `dir`.
    pub(super) fn build(&self, dir: &Path, progress: &Progress) -> Result<()> {
        let work = tempfile::tempdir()?;

        progress.step("fetching Debian's kernel");
        let kernel = Kernel::unpack(&work.path().join("kernel"))?;
        fs::copy(kernel.vmlinuz(), dir.join("vmlinuz"))?;

        progress.step("building the initramfs");
        let mut initramfs = Initramfs::with_busybox()?;
        initramfs.program("init", INIT);
        // And what systemd mounts the share by.
        let modules = [GUEST_MODULES.as_slice(), &["autofs4"]].concat();
        initramfs.modules("etc/modules", &kernel.modules(&modules)?)?;
        initramfs.write(&dir.join("initrd"))?;

        progress.step("installing Debian's packages (a minute or two)");
        let additions = work.path().join("additions.tar");
        self.pack_additions(&kernel, &work.path().join("additions"), &additions)?;
        let system = work.path().join("system.tar");
        self.install(&additions, &system)?;

        progress.step("making the disk");
        self.make_disk(&system, &work.path().join("root"), &dir.join("disk.raw"))?;
        start_script::write(dir, self.name, self.memory, self.devices)
    }

    /// Lays out in `dir` what is not of Debian's packages, our own files and
    /// the kernel's modules, and packs it into `archive`.
    fn pack_additions(&self, kernel: &Kernel, dir: &Path, archive: &Path) -> Result<()> {
        let setup = self.setup.concat();
        let files = self.files.iter().copied().flatten();
        for (path, text) in files.copied().chain([("root/setup", setup.as_str())]) {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().context("a file has a directory")?)?;
            fs::write(path, text)?;
        }
        let modules = dir.join("usr/lib/modules").join(kernel.version());
        fs::create_dir_all(modules.parent().context("modules have a directory")?)?;
        fs::rename(kernel.modules_dir(), &modules)?;
        for unwanted in NO_MODULES {
            let unwanted = modules.join("kernel").join(unwanted);
            fs::remove_dir_all(&unwanted).with_context(|| format!("no {}", unwanted.display()))?;
        }
        // Whoever builds it, in the guest they are root's.
        run(Command::new("tar")
            .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX", "-C"])
            .args([dir, Path::new("-cf"), archive])
            .args(["etc", "root", "usr"]))?;
        Ok(())
    }

    /// Installs the packages and the additions, and writes all to `archive`.
    ///
    /// mmdebstrap works as another user if we are not root. So our files reach
    /// it, and its archive us, as open files.
    fn install(&self, additions: &Path, archive: &Path) -> Result<()> {
        let packages: Vec<&str> = self.packages.iter().flat_map(|some| some.lines()).collect();
        // What nobody reads in a test.
        let unread = ["doc", "info", "locale", "man"];
        run(Command::new("mmdebstrap")
            .arg(if is_root() {
                "--mode=root"
            } else {
                "--mode=unshare"
            })
            .args(["--quiet", "--variant=minbase", "--format=tar"])
            .arg(format!("--include={}", packages.join(",")))
            .args(unread.map(|dir| format!("--dpkgopt=path-exclude=/usr/share/{dir}/*")))
            .arg("--customize-hook=tar -C \"$1\" --keep-directory-symlink -x")
            .arg("--customize-hook=chroot \"$1\" sh /root/setup")
            .arg("--customize-hook=rm \"$1\"/root/setup")
            .args([SUITE, "-"])
            .stdin(File::open(additions)?)
            .stdout(File::create(archive)?))?;
        Ok(())
    }

    /// Unpacks the system and makes a file system of it, in one session of
    /// fakeroot: so the files' owners survive without any privilege.
    fn make_disk(&self, system: &Path, root: &Path, disk: &Path) -> Result<()> {
        const SCRIPT: &str = r#"
            mkdir "$2"
            tar -C "$2" --exclude='./dev/*' -xf "$1"
            "$4" -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 -d "$2" "$3" "$5""#;
        let mke2fs = find("mke2fs").context("mke2fs is missing")?;
        run(Command::new("fakeroot")
            .args(["sh", "-euc", SCRIPT, "sh"])
            .args([system, root, disk, &mke2fs])
            .arg(self.disk_size))?;
        Ok(())
    }
}
