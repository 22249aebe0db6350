//! The start script of an image, `run-NAME-vm`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;

/// The script, with the placeholders `@NAME@`, `@MEMORY@`, `@KERNEL@` and `@DEVICES@`.
pub(super) const TEMPLATE: &str = include_str!("../../images/common/run-vm");

/// Writes the start script `run-NAME-vm` of an image into its directory. The kernel is a file there.
pub(super) fn write(
    dir: &Path,
    name: &str,
    memory: &str,
    kernel: &str,
    devices: &[&str],
) -> Result<()> {
    let path = dir.join(format!("run-{name}-vm"));
    fs::write(&path, fill(name, memory, kernel, devices))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn fill(name: &str, memory: &str, kernel: &str, devices: &[&str]) -> String {
    let devices: String = devices.iter().flat_map(|it| [" -device ", it]).collect();
    TEMPLATE
        .replace("@NAME@", name)
        .replace("@MEMORY@", memory)
        .replace("@KERNEL@", kernel)
        .replace("@DEVICES@", &devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_placeholders_are_replaced() {
        let script = fill("minimal", "256M", "vmlinux", &["virtio-tablet-pci"]);
        for placeholder in ["@NAME@", "@MEMORY@", "@KERNEL@", "@DEVICES@"] {
            assert!(!script.contains(placeholder), "{script}");
        }
        assert!(script.contains("machine minimal"));
        assert!(script.contains("-m 256M"));
        assert!(script.contains(" -device virtio-tablet-pci "));
    }

    #[test]
    fn the_serial_console_is_the_last_one() {
        let consoles = TEMPLATE.rsplit("console=").next().unwrap();
        assert!(consoles.starts_with("ttyS0 "), "{consoles}");
    }

    #[test]
    fn it_execs_qemu_with_all_arguments() {
        let (_, qemu) = TEMPLATE.split_once("\nexec qemu-system-x86_64").unwrap();
        assert!(
            qemu.ends_with("    ${QEMU_OPTS:-} \\\n    \"$@\"\n"),
            "{qemu}"
        );
    }
}
