//! An image with a Debian system on its disk, built without root privileges.

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

/// `/init` of the initramfs, which starts the system on the disk.
const INIT: &str = include_str!("../../images/common/disk-init");

/// Large modules for hardware that no virtual machine has.
const UNUSED_MODULES: [&str; 9] = [
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

/// Files in the guest: their paths and their text.
pub(super) type Files = &'static [(&'static str, &'static str)];

/// The given files of `xtask/images/IMAGE/root`.
macro_rules! root_files {
    ($image:literal, $($path:literal),* $(,)?) => {
        &[
            $(($path, include_str!(concat!("../../images/", $image, "/root/", $path)))),*
        ]
    };
}
pub(super) use root_files;

/// The script that starts the root shell.
pub(super) const BACKDOOR: Files = &[(
    "usr/local/sbin/backdoor",
    include_str!("../../images/common/backdoor"),
)];

/// An image with Debian.
pub(super) struct Debian {
    /// The image's name.
    pub(super) name: &'static str,
    /// The guest's memory, in the syntax of QEMU's `-m`.
    pub(super) memory: &'static str,
    /// Devices in addition to those of every image, in the syntax of QEMU's `-device`.
    pub(super) devices: &'static [&'static str],
    /// The size of the root file system, in the syntax of `mke2fs`. The file is sparse.
    pub(super) disk_size: &'static str,
    /// Lists of packages in addition to the essential ones, one package a line.
    pub(super) packages: &'static [&'static str],
    /// Files in addition to those of packages.
    pub(super) files: &'static [Files],
    /// The parts of a shell script that runs in the new system after all files are
    /// installed.
    pub(super) setup: &'static [&'static str],
}

impl Debian {
    /// The inputs of the image in addition to `COMMON_INPUTS`.
    pub(super) fn inputs(&self) -> Vec<&'static str> {
        // Without `..`, so that a new field can't be forgotten.
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
        // systemd uses autofs4 to mount the share.
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
        start_script::write(dir, self.name, self.memory, "vmlinuz", self.devices)
    }

    /// Collects in `dir` the files that are not in Debian's packages and the kernel's
    /// modules, and packs them into `archive`.
    fn pack_additions(&self, kernel: &Kernel, dir: &Path, archive: &Path) -> Result<()> {
        let setup = self.setup.concat();
        let files = self.files.iter().copied().flatten();
        for (path, text) in files.copied().chain([("root/setup", setup.as_str())]) {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().context("the file has no parent directory")?)?;
            fs::write(path, text)?;
        }
        let modules = dir.join("usr/lib/modules").join(kernel.version());
        fs::create_dir_all(modules.parent().context("no directory for modules")?)?;
        fs::rename(kernel.modules_dir(), &modules)?;
        for unused in UNUSED_MODULES {
            let dir = modules.join("kernel").join(unused);
            fs::remove_dir_all(&dir).with_context(|| format!("can't remove {}", dir.display()))?;
        }
        // In the guest, root owns them.
        run(Command::new("tar")
            .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX", "-C"])
            .args([dir, Path::new("-cf"), archive])
            .args(["etc", "root", "usr"]))?;
        Ok(())
    }

    /// Installs the packages and the additions, and writes the system to `archive`.
    ///
    /// Without root privileges mmdebstrap runs as another user, which may not open our
    /// files: it uses its standard input and output.
    fn install(&self, additions: &Path, archive: &Path) -> Result<()> {
        let packages: Vec<&str> = self.packages.iter().flat_map(|some| some.lines()).collect();
        // Not needed in tests.
        let excluded = ["doc", "info", "locale", "man"];
        run(Command::new("mmdebstrap")
            .arg(if is_root() {
                "--mode=root"
            } else {
                "--mode=unshare"
            })
            .args(["--quiet", "--variant=minbase", "--format=tar"])
            .arg(format!("--include={}", packages.join(",")))
            .args(excluded.map(|dir| format!("--dpkgopt=path-exclude=/usr/share/{dir}/*")))
            .arg("--customize-hook=tar -C \"$1\" --keep-directory-symlink -x")
            .arg("--customize-hook=chroot \"$1\" sh /root/setup")
            .arg("--customize-hook=rm \"$1\"/root/setup")
            .args([SUITE, "-"])
            .stdin(File::open(additions)?)
            .stdout(File::create(archive)?))?;
        Ok(())
    }

    /// Unpacks the system and creates its file system in one session of fakeroot, which
    /// keeps the owners of files without root privileges.
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
