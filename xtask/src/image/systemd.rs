//! The image `systemd`: Debian 12 with systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::initramfs::Initramfs;
use super::kernel::Kernel;
use super::{Recipe, start_script};
use crate::host::{find, is_root};
use crate::util::{Progress, run};

const SUITE: &str = "bookworm";

/// The root file system's size; the image file is sparse.
const DISK_SIZE: &str = "2G";

const BACKDOOR: &str = include_str!("../../images/common/backdoor");
const PACKAGES: &str = include_str!("../../images/systemd/packages");
const SETUP: &str = include_str!("../../images/systemd/setup");
const INITRAMFS_INIT: &str = include_str!("../../images/systemd/initramfs-init");

/// Files of the guest, beside those of its packages.
macro_rules! root_files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../images/systemd/root/", $path)))),*]
    };
}

const ROOT_FILES: [(&str, &str); 8] = root_files![
    "etc/hostname",
    "etc/hosts",
    "etc/modules-load.d/vm.conf",
    "etc/systemd/journald.conf.d/volatile.conf",
    "etc/systemd/network/80-dhcp.network",
    "etc/systemd/system/backdoor.service",
    "etc/systemd/system/getty@tty1.service.d/autologin.conf",
    "etc/systemd/system/tmp-shared.mount",
];

/// What the initramfs needs to mount the disk.
const BOOT_MODULES: [&str; 4] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];

/// Modules for hardware that no virtual machine has, three quarters of them all.
const NO_MODULES: [&str; 14] = [
    "drivers/gpu/drm/amd",
    "drivers/gpu/drm/i915",
    "drivers/gpu/drm/nouveau",
    "drivers/gpu/drm/radeon",
    "drivers/hwmon",
    "drivers/iio",
    "drivers/infiniband",
    "drivers/media",
    "drivers/net/ethernet",
    "drivers/net/wireless",
    "drivers/scsi",
    "drivers/staging",
    "drivers/platform",
    "sound",
];

pub(super) const RECIPE: Recipe = Recipe {
    inputs: &[
        include_str!("systemd.rs"),
        include_str!("initramfs.rs"),
        include_str!("kernel.rs"),
        start_script::TEMPLATE,
        BACKDOOR,
        PACKAGES,
        SETUP,
        INITRAMFS_INIT,
        ROOT_FILES[0].1,
        ROOT_FILES[1].1,
        ROOT_FILES[2].1,
        ROOT_FILES[3].1,
        ROOT_FILES[4].1,
        ROOT_FILES[5].1,
        ROOT_FILES[6].1,
        ROOT_FILES[7].1,
    ],
    build,
};

fn build(dir: &Path, progress: &Progress) -> Result<()> {
    let work = tempfile::tempdir()?;
    // mmdebstrap's other user must get at it.
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755))?;

    progress.step("fetching Debian's kernel");
    let kernel = Kernel::unpack(&work.path().join("kernel"))?;
    fs::copy(kernel.vmlinuz(), dir.join("vmlinuz"))?;

    progress.step("building the initramfs");
    let mut initramfs = Initramfs::with_busybox()?;
    initramfs.program("init", INITRAMFS_INIT);
    initramfs.modules("etc/modules", &kernel.modules(&BOOT_MODULES)?)?;
    initramfs.write(&dir.join("initrd"))?;

    progress.step("installing Debian's packages (a minute or two)");
    let overlay = work.path().join("overlay");
    lay_out(&overlay, &kernel)?;
    let rootfs = work.path().join("rootfs.tar");
    fs::write(&rootfs, install(&overlay)?)?;

    progress.step("making the disk");
    make_disk(&rootfs, &work.path().join("root"), &dir.join("disk.raw"))?;
    start_script::write(dir, "systemd", "768M", "quiet systemd.show_status=1")
}

/// Our own files and the kernel's modules, as they will be in the guest.
fn lay_out(overlay: &Path, kernel: &Kernel) -> Result<()> {
    for (path, text) in ROOT_FILES {
        write(&overlay.join(path), text, 0o644)?;
    }
    write(&overlay.join("usr/local/sbin/backdoor"), BACKDOOR, 0o755)?;
    write(&overlay.join("root/setup"), SETUP, 0o755)?;

    let modules = kernel.modules_dir();
    for unwanted in NO_MODULES {
        let dir = modules.join("kernel").join(unwanted);
        fs::remove_dir_all(&dir).with_context(|| format!("no {}", dir.display()))?;
    }
    let there = overlay.join("usr/lib/modules").join(kernel.version());
    fs::create_dir_all(there.parent().context("a directory")?)?;
    run(Command::new("cp").arg("-a").arg(&modules).arg(&there))?;
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file has a directory")?)?;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Installs the packages, adds `overlay`, runs `setup` in it, and gives the
/// whole as a tar archive: mmdebstrap writes it to a pipe, so that its other
/// user needs no file of ours.
fn install(overlay: &Path) -> Result<Vec<u8>> {
    let packages: Vec<&str> = PACKAGES.lines().collect();
    let overlay = overlay
        .to_str()
        .context("the temporary directory's name is not UTF-8")?;
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .arg(if is_root() {
            "--mode=root"
        } else {
            "--mode=unshare"
        })
        .args(["--variant=minbase", "--quiet", "--format=tar"])
        .arg(format!("--include={}", packages.join(",")))
        .arg(format!("--customize-hook=sync-in {} /", quoted(overlay)))
        .arg("--customize-hook=chroot \"$1\" /root/setup")
        .arg("--customize-hook=rm \"$1\"/root/setup")
        .args([SUITE, "-"]);
    Ok(run(&mut mmdebstrap)?.stdout)
}

/// A word for mmdebstrap's hooks, which the shell reads.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Unpacks the archive and makes a file system of it. In one session of
/// fakeroot, so that the files' owners survive without any privilege.
fn make_disk(rootfs: &Path, root: &Path, disk: &Path) -> Result<()> {
    const SCRIPT: &str = r#"
        mkdir "$2"
        tar -C "$2" -xf "$1" --exclude=./dev/\*
        "$4" -q -F -t ext4 -L root -E lazy_itable_init=0,lazy_journal_init=0 -d "$2" "$3" "$5""#;
    let mke2fs = find("mke2fs").context("mke2fs is missing")?;
    run(Command::new("fakeroot")
        .args(["sh", "-euc", SCRIPT, "sh"])
        .args([rootfs, root, disk, &mke2fs])
        .arg(DISK_SIZE))?;
    Ok(())
}
