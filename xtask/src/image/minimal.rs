//! The image `minimal`: Debian's kernel, busybox and bash in an initramfs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::initramfs::Initramfs;
use super::kernel::Kernel;
use super::{Recipe, start_script};
use crate::host::find;
use crate::util::{Progress, run};

const BACKDOOR: &str = include_str!("../../images/common/backdoor");
const INITTAB: &str = include_str!("../../images/minimal/inittab");
const RC: &str = include_str!("../../images/minimal/rc");
const RC_LATE: &str = include_str!("../../images/minimal/rc.late");
const RC_SHUTDOWN: &str = include_str!("../../images/minimal/rc.shutdown");
const CONSOLE: &str = include_str!("../../images/minimal/console");
const PASSWD: &str = include_str!("../../images/minimal/passwd");
const HOSTS: &str = include_str!("../../images/minimal/hosts");

/// Loaded before the root shell is there.
const EARLY_MODULES: [&str; 2] = ["virtio_pci", "virtio_console"];

/// Loaded after.
const LATE_MODULES: [&str; 7] = [
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "crc32c_generic",
    "ext4",
    "9pnet_virtio",
    "9p",
];

pub(super) const RECIPE: Recipe = Recipe {
    inputs: &[
        include_str!("minimal.rs"),
        include_str!("initramfs.rs"),
        include_str!("kernel.rs"),
        start_script::TEMPLATE,
        BACKDOOR,
        INITTAB,
        RC,
        RC_LATE,
        RC_SHUTDOWN,
        CONSOLE,
        PASSWD,
        HOSTS,
    ],
    build,
};

fn build(dir: &Path, progress: &Progress) -> Result<()> {
    progress.step("fetching Debian's kernel");
    let unpacked = tempfile::tempdir()?;
    let kernel = Kernel::unpack(unpacked.path())?;
    fs::copy(kernel.vmlinuz(), dir.join("vmlinuz"))?;

    progress.step("building the initramfs");
    initramfs(&kernel)?.write(&dir.join("initrd"))?;

    progress.step("making the disk");
    disk(&dir.join("disk.raw"))?;
    start_script::write(dir, "minimal", "256M", "")
}

fn initramfs(kernel: &Kernel) -> Result<Initramfs> {
    let mut initramfs = Initramfs::with_busybox()?;
    let bash = find("bash-static").context("bash-static is missing")?;
    initramfs.program("bin/bash", fs::read(bash)?);
    initramfs.link("init", "/bin/busybox");
    for (path, script) in [
        ("etc/backdoor", BACKDOOR),
        ("etc/rc", RC),
        ("etc/rc.late", RC_LATE),
        ("etc/rc.shutdown", RC_SHUTDOWN),
        ("etc/console", CONSOLE),
    ] {
        initramfs.program(path, script);
    }
    for (path, text) in [
        ("etc/inittab", INITTAB),
        ("etc/passwd", PASSWD),
        ("etc/hosts", HOSTS),
    ] {
        initramfs.file(path, text);
    }
    let early = kernel.modules(&EARLY_MODULES)?;
    let mut late = kernel.modules(&LATE_MODULES)?;
    late.retain(|module| !early.contains(module));
    initramfs.modules("etc/modules.early", &early)?;
    initramfs.modules("etc/modules.late", &late)?;
    Ok(initramfs)
}

/// An empty file system, for a test to keep something in.
fn disk(path: &Path) -> Result<()> {
    fs::File::create(path)?.set_len(64 * 1024 * 1024)?;
    let mke2fs = find("mke2fs").context("mke2fs is missing")?;
    run(Command::new(mke2fs)
        .args(["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0"])
        .arg(path))?;
    Ok(())
}
