//! The image `cloud` and those of other versions of Debian: a disk with a boot loader, Debian's
//! cloud kernel and cloud-init, like the images that distributions publish.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Recipe;
use crate::host::{find, is_root};
use crate::util::{Progress, run};

const PACKAGES: &str = include_str!("../../images/cloud/packages");
const SYSLINUX: &str = include_str!("../../images/cloud/syslinux.cfg");
const FSTAB: &str = include_str!("../../images/cloud/fstab");
const CLOUD_CFG: &str = include_str!("../../images/cloud/cloud.cfg");

/// The first stage of the boot loader, in the disk's first sector.
const MBR: &str = "/usr/lib/syslinux/mbr/mbr.bin";

const MIB: u64 = 1 << 20;
const SECTORS_PER_MIB: u32 = 2048;

/// The sizes of the two partitions, of which the first begins after a MiB.
const BOOT_MIB: u32 = 96;
const ROOT_MIB: u32 = 1200;

/// How to build the image of Debian 12.
pub(super) const BOOKWORM: Recipe = Recipe {
    inputs,
    build: |dir, progress| build("bookworm", dir, progress),
};

/// The same for Debian 11.
pub(super) const BULLSEYE: Recipe = Recipe {
    inputs,
    build: |dir, progress| build("bullseye", dir, progress),
};

/// The same for Debian 13.
pub(super) const TRIXIE: Recipe = Recipe {
    inputs,
    build: |dir, progress| build("trixie", dir, progress),
};

/// The same for Debian unstable.
pub(super) const SID: Recipe = Recipe {
    inputs,
    build: |dir, progress| build("sid", dir, progress),
};

fn inputs() -> Vec<&'static str> {
    let own = include_str!("cloud.rs");
    vec![own, PACKAGES, SYSLINUX, FSTAB, CLOUD_CFG]
}

fn build(suite: &str, dir: &Path, progress: &Progress) -> Result<()> {
    let work = tempfile::tempdir()?;
    let work = work.path();

    progress.step("installing Debian's packages (a minute or two)");
    let system = work.join("system.tar");
    install(suite, &system)?;

    progress.step("making the disk");
    let [root, boot] = ["root", "boot"].map(|name| work.join(name));
    make_root(&system, &work.join("tree"), &root, &boot)?;
    let disk = work.join("disk");
    make_disk(&disk, &boot, &root)?;
    run(Command::new("qemu-img")
        .args(["convert", "-O", "qcow2"])
        .args([&disk, &dir.join("cloud.qcow2")]))?;
    Ok(())
}

/// Installs the packages and writes the system to `archive`.
///
/// Without root privileges mmdebstrap runs as another user, which may not open our files: it
/// uses its standard output, and the files' text is in hooks.
fn install(suite: &str, archive: &Path) -> Result<()> {
    let mode = if is_root() { "root" } else { "unshare" };
    let packages = PACKAGES.lines();
    // In Debian 11, systemd contains it.
    let packages = packages.filter(|name| suite != "bullseye" || *name != "systemd-resolved");
    let packages: Vec<&str> = packages.collect();
    // Not needed in tests.
    let excluded = ["doc", "info", "locale", "man"];
    run(Command::new("mmdebstrap")
        .arg(format!("--mode={mode}"))
        .args(["--quiet", "--variant=minbase", "--format=tar"])
        .arg(format!("--include={}", packages.join(",")))
        .args(excluded.map(|dir| format!("--dpkgopt=path-exclude=/usr/share/{dir}/*")))
        .args(
            [
                ("etc/fstab", FSTAB),
                ("etc/cloud/cloud.cfg.d/90-tests.cfg", CLOUD_CFG),
            ]
            .map(|(path, text)| {
                format!("--customize-hook=echo '{}' >\"$1\"/{path}", text.trim_end())
            }),
        )
        .arg("--customize-hook=echo debian >\"$1\"/etc/hostname")
        // Each machine generates its own identity.
        .arg("--customize-hook=: >\"$1\"/etc/machine-id")
        .arg("--customize-hook=rm -f \"$1\"/var/lib/dbus/machine-id")
        // The mirror may be a copy of some time ago.
        .args((suite == "sid").then_some("--aptopt=Acquire::Check-Valid-Until \"false\""))
        .args([suite, "-"])
        .args(mirror(suite))
        .stdout(File::create(archive)?))?;
    Ok(())
}

/// Where Debian's packages are, if the usual mirrors lack some: those of security updates do for
/// Debian 11.
fn mirror(suite: &str) -> Option<&'static str> {
    (suite == "bullseye").then_some("http://deb.debian.org/debian")
}

/// Unpacks the system and creates its file system in one session of fakeroot, which keeps the
/// owners of files without root privileges. Copies the kernel to `boot`.
fn make_root(system: &Path, tree: &Path, file: &Path, boot: &Path) -> Result<()> {
    const SCRIPT: &str = r#"
        mkdir "$2" "$4"
        tar -C "$2" --exclude='./dev/*' -xf "$1"
        cp "$2"/boot/vmlinuz-* "$4/vmlinuz"
        cp "$2"/boot/initrd.img-* "$4/initrd.img"
        chmod a+r "$4"/*
        "$5" -q -t ext4 -L root -E lazy_itable_init=0,lazy_journal_init=0 -d "$2" "$3" "$6""#;
    let mke2fs = find("mke2fs").context("mke2fs is missing")?;
    run(Command::new("fakeroot")
        .args(["sh", "-euc", SCRIPT, "sh"])
        .args([system, tree, file, boot, &mke2fs])
        .arg(format!("{ROOT_MIB}M")))?;
    Ok(())
}

/// Makes the disk: a boot partition with the boot loader, and the root's file system.
fn make_disk(disk: &Path, boot: &Path, root: &Path) -> Result<()> {
    let mut file = File::create(disk)?;
    file.set_len(u64::from(1 + BOOT_MIB + ROOT_MIB) * MIB)?;
    let mbr = fs::read(MBR).with_context(|| format!("{MBR} is missing"))?;
    file.write_all(&mbr)?;
    file.write_all_at(&partitions(), 446)?;

    let fat = boot.with_extension("fat");
    File::create(&fat)?.set_len(u64::from(BOOT_MIB) * MIB)?;
    let mkfs = find("mkfs.fat").context("mkfs.fat is missing")?;
    run(Command::new(mkfs).args(["-n", "BOOT"]).arg(&fat))?;
    fs::write(boot.join("syslinux.cfg"), SYSLINUX)?;
    for name in ["vmlinuz", "initrd.img", "syslinux.cfg"] {
        run(Command::new("mcopy")
            .arg("-i")
            .arg(&fat)
            .arg(boot.join(name))
            .arg("::"))?;
    }
    run(Command::new("syslinux").arg("--install").arg(&fat))?;
    for (part, mib) in [(&*fat, 1), (root, 1 + BOOT_MIB)] {
        run(Command::new("dd")
            .args(["bs=1M", "conv=notrunc,sparse", "status=none"])
            .arg(format!("seek={mib}"))
            .arg(format!("if={}", part.display()))
            .arg(format!("of={}", disk.display())))?;
    }
    Ok(())
}

/// The table of the partitions, and the end of the boot sector.
fn partitions() -> Vec<u8> {
    let entry = |active: u8, kind: u8, mib: u32, size_mib: u32| {
        let [start, size] = [mib, size_mib].map(|mib| mib * SECTORS_PER_MIB);
        // Heads and cylinders are those of large disks, for which only sectors count.
        let mut entry = vec![active, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff];
        entry.extend([start.to_le_bytes(), size.to_le_bytes()].concat());
        entry
    };
    let mut table = entry(0x80, 0x0c, 1, BOOT_MIB);
    table.extend(entry(0, 0x83, 1 + BOOT_MIB, ROOT_MIB));
    table.resize(64, 0);
    table.extend([0x55, 0xaa]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_sixteen_bytes() {
        let table = partitions();
        assert_eq!(table.len(), 66);
        // The root's: 97 MiB and 1200 MiB in sectors of 512 bytes.
        assert_eq!(table[24..28], 198_656_u32.to_le_bytes());
        assert_eq!(table[28..32], 2_457_600_u32.to_le_bytes());
    }
}
