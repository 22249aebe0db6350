//! What is appended to an initrd of the user: hooks of its own init, from which the root shell
//! comes.

use std::fs;
use std::io;
use std::path::Path;

use backdoor_shell::BACKDOOR;

use super::initramfs::Initramfs;
use super::{BASH, RESPAWN, busybox};
use crate::host::process::find_in_path;
use crate::start::credentials::SERVICE;

const HOOK: &str = include_str!("../guest/initrd_hook.sh");
const INITRAMFS_TOOLS: &str = include_str!("../guest/initramfs_tools.conf.sh");
const INSTALLER: &str = include_str!("../guest/installer_startup.sh");

/// Where dracut looks for hooks: in older and in newer versions.
const DRACUT: [&str; 2] = ["usr/lib/dracut/hooks", "var/lib/dracut/hooks"];

/// How an archive begins: cpio, or one compressed by gzip, bzip2, LZMA, xz, LZO, LZ4 or zstd.
const MAGIC: [&[u8]; 9] = [
    b"070701",
    b"070702",
    b"\x1f\x8b",
    b"BZh",
    b"\x5d\0\0",
    b"\xfd7zXZ",
    b"\x89LZO",
    b"\x02\x21\x4c\x18",
    b"\x28\xb5\x2f\xfd",
];

/// The initrd at `path` with the hooks. Linux unpacks one archive after the other.
pub(super) fn appended_to(path: &Path) -> io::Result<Vec<u8>> {
    let mut initrd = fs::read(path)?;
    if !MAGIC.iter().any(|magic| initrd.starts_with(magic)) {
        let reason = "it is no initrd: neither a cpio archive nor compressed";
        return Err(io::Error::other(reason));
    }
    initrd.resize(initrd.len().next_multiple_of(4), 0);
    initrd.extend(hooks()?.archive()?);
    Ok(initrd)
}

fn hooks() -> io::Result<Initramfs> {
    let mut hooks = Initramfs::default();
    hooks.file("vmwright/backdoor.sh", BACKDOOR);
    hooks.file("vmwright/vmwright-shell.service", SERVICE);
    hooks.program("vmwright/hook", HOOK);
    for dir in DRACUT {
        hooks.program_in_place(&format!("{dir}/pre-pivot/90-vmwright.sh"), HOOK);
    }
    hooks.program_in_place("conf/conf.d/vmwright", INITRAMFS_TOOLS);

    hooks.program_in_place("lib/debian-installer-startup.d/S02vmwright", INSTALLER);
    hooks.file("vmwright/respawn.sh", RESPAWN);
    hooks.program("vmwright/busybox", busybox::program()?);
    if let Some(bash) = find_in_path(BASH) {
        hooks.program("vmwright/bash", fs::read(bash)?);
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hooks_follow_the_initrd() {
        let dir = tempfile::tempdir().unwrap();
        let initrd = dir.path().join("initrd");
        fs::write(&initrd, b"\x1f\x8b packed").unwrap();
        let both = appended_to(&initrd).unwrap();
        assert_eq!(both[..12], *b"\x1f\x8b packed\0\0\0");
        let first = cpio::NewcReader::new(&both[12..]).unwrap();
        assert_eq!(first.entry().name(), "conf/conf.d/vmwright");
        fs::write(&initrd, "a text").unwrap();
        let error = appended_to(&initrd).unwrap_err().to_string();
        assert!(error.contains("no initrd"), "{error}");
    }
}
