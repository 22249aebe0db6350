//! The program that is the initramfs's shell and all its commands.

use std::fs;
use std::io;

use super::initramfs::Initramfs;
use crate::host::process::find_in_path;

/// The commands that the scripts in the initramfs use, and what they are there for.
const COMMANDS: [&str; 17] = [
    "chroot",
    "cp",
    "grep",
    "hostname",
    "insmod",
    "ip",
    "ln",
    "mkdir",
    "mount",
    "mv",
    "readlink",
    "setsid",
    "sh",
    "sleep",
    "switch_root",
    "test",
    "uname",
];

const PT_INTERP: u32 = 3;

/// Adds it and links for its commands.
///
/// # Errors
/// As [`program`].
pub(super) fn add(initramfs: &mut Initramfs) -> io::Result<()> {
    initramfs.program("bin/busybox", program()?);
    for command in COMMANDS {
        initramfs.link(&format!("bin/{command}"), "busybox");
    }
    Ok(())
}

/// Its bytes.
///
/// # Errors
/// It is not installed, or needs libraries.
pub(super) fn program() -> io::Result<Vec<u8>> {
    let needed = "is needed in the guest: install Debian's package `busybox-static`, say";
    let path = find_in_path("busybox")
        .ok_or_else(|| io::Error::other(format!("the host's `busybox` {needed}")))?;
    let program = fs::read(&path)?;
    if is_dynamic(&program) {
        return Err(io::Error::other(format!(
            "{} needs libraries; one without them {needed}",
            path.display()
        )));
    }
    Ok(program)
}

/// Whether an ELF file is started by a loader, which loads libraries.
fn is_dynamic(elf: &[u8]) -> bool {
    let number = |at: usize, length: usize| {
        let bytes = elf.get(at..at + length)?;
        let number = bytes
            .iter()
            .rev()
            .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        usize::try_from(number).ok()
    };
    // The table of segments in files for 64 bits.
    let (Some(table), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2))
    else {
        return false;
    };
    let kinds = (0..count).map(|segment| number(table + segment * size, 4));
    kinds.flatten().any(|kind| kind == PT_INTERP as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_libraries_is_recognized() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_dynamic(&own));
        assert!(!is_dynamic(b"\x7fELF"));
    }
}
