//! The image `minimal`: Debian's kernel, busybox and bash in an initramfs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::initramfs::{Initramfs, VLANS};
use super::kernel::{GUEST_MODULES, Kernel};
use super::{Recipe, start_script};
use crate::host::find;
use crate::util::{Progress, run};

const BACKDOOR: &str = include_str!("../../images/common/backdoor");
const INITTAB: &str = include_str!("../../images/minimal/inittab");
const RC: &str = include_str!("../../images/minimal/rc");
const TIMEOUT: &str = include_str!("../../images/minimal/timeout");
const POWER: &str = include_str!("../../images/minimal/power");
const NC: &str = include_str!("../../images/minimal/nc");
const CONSOLE: &str = include_str!("../../images/minimal/console");
const GROUP: &str = include_str!("../../images/minimal/group");
const PASSWD: &str = include_str!("../../images/minimal/passwd");
const HOSTS: &str = include_str!("../../images/minimal/hosts");

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || {
        vec![
            include_str!("minimal.rs"),
            BACKDOOR,
            INITTAB,
            RC,
            TIMEOUT,
            POWER,
            NC,
            CONSOLE,
            GROUP,
            PASSWD,
            HOSTS,
            VLANS,
        ]
    },
    build,
};

/// The guest's memory.
const MEMORY: &str = "256M";

fn build(dir: &Path, progress: &Progress) -> Result<()> {
    progress.step("fetching Debian's kernel");
    let unpacked = tempfile::tempdir()?;
    let kernel = Kernel::unpack(unpacked.path())?;
    fs::copy(kernel.vmlinuz(), dir.join("vmlinuz"))?;
    fs::write(dir.join("vmlinux"), kernel.vmlinux()?)?;

    progress.step("building the initramfs");
    initramfs(&kernel)?.write(&dir.join("initrd"))?;

    progress.step("making the disk");
    disk(&dir.join("disk.raw"))?;
    // An emulated guest takes three seconds to decompress its kernel. The program that does it
    // also prepares the text console of the screen.
    start_script::write(dir, "minimal", MEMORY, "vmlinux", &[])?;
    start_script::write(dir, "console", MEMORY, "vmlinuz", &[])
}

fn initramfs(kernel: &Kernel) -> Result<Initramfs> {
    let mut initramfs = Initramfs::with_busybox()?;
    let bash = find("bash-static").context("bash-static is missing")?;
    initramfs.program("bin/bash", fs::read(bash)?);
    initramfs.link("init", "/bin/busybox");
    initramfs.dir("root");
    for (path, script) in [
        ("etc/backdoor", BACKDOOR),
        ("etc/rc", RC),
        ("usr/bin/timeout", TIMEOUT),
        ("sbin/poweroff", POWER),
        ("sbin/reboot", POWER),
        ("usr/bin/nc", NC),
        ("etc/console", CONSOLE),
    ] {
        initramfs.program(path, script);
    }
    for (path, text) in [
        ("etc/inittab", INITTAB),
        ("etc/group", GROUP),
        ("etc/passwd", PASSWD),
        ("etc/hosts", HOSTS),
    ] {
        initramfs.file(path, text);
    }
    initramfs.modules("etc/modules", &kernel.modules(&GUEST_MODULES)?)?;
    Ok(initramfs)
}

/// Creates an empty file system for tests.
fn disk(path: &Path) -> Result<()> {
    fs::File::create(path)?.set_len(64 * 1024 * 1024)?;
    let mke2fs = find("mke2fs").context("mke2fs is missing")?;
    run(Command::new(mke2fs)
        .args(["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0"])
        .arg(path))?;
    Ok(())
}
