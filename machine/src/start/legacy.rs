//! Ad-hoc machines as in the NixOS test driver.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::host::process::CommandSpec;
use crate::host::qemu_option::doubled_commas;

/// A QEMU command line built from a few optional arguments, as by the NixOS test driver's
/// `create_machine`.
///
/// A shell runs the command, so `qemu_binary` and `qemu_flags` may contain several words,
/// variables and quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegacyStartCommand {
    net_backend_args: Option<String>,
    net_frontend_args: Option<String>,
    hda: Option<(PathBuf, String)>,
    cdrom: Option<PathBuf>,
    usb: Option<PathBuf>,
    bios: Option<PathBuf>,
    qemu_binary: Option<String>,
    qemu_flags: Option<String>,
}

impl LegacyStartCommand {
    /// `qemu-kvm -m 384` with a user-mode network.
    pub fn new() -> Self {
        Self::default()
    }

    /// Additional properties of the network backend, `-netdev user,id=net0`.
    #[must_use]
    pub fn net_backend_args(mut self, args: impl Into<String>) -> Self {
        self.net_backend_args = Some(args.into());
        self
    }

    /// Additional properties of the network card, `-device virtio-net-pci,netdev=net0`.
    #[must_use]
    pub fn net_frontend_args(mut self, args: impl Into<String>) -> Self {
        self.net_frontend_args = Some(args.into());
        self
    }

    /// The first hard disk, and its interface: `scsi`, or a value for `-drive if=`.
    #[must_use]
    pub fn hda(mut self, image: impl Into<PathBuf>, interface: impl Into<String>) -> Self {
        self.hda = Some((image.into(), interface.into()));
        self
    }

    /// An image in the CD-ROM drive.
    #[must_use]
    pub fn cdrom(mut self, image: impl Into<PathBuf>) -> Self {
        self.cdrom = Some(image.into());
        self
    }

    /// An image on a read-only USB 2 stick.
    #[must_use]
    pub fn usb(mut self, image: impl Into<PathBuf>) -> Self {
        self.usb = Some(image.into());
        self
    }

    /// The firmware.
    #[must_use]
    pub fn bios(mut self, image: impl Into<PathBuf>) -> Self {
        self.bios = Some(image.into());
        self
    }

    /// The QEMU to run; `qemu-kvm` by default.
    #[must_use]
    pub fn qemu_binary(mut self, command: impl Into<String>) -> Self {
        self.qemu_binary = Some(command.into());
        self
    }

    /// Additional words for QEMU's command line.
    #[must_use]
    pub fn qemu_flags(mut self, words: impl Into<String>) -> Self {
        self.qemu_flags = Some(words.into());
        self
    }

    pub(super) fn spec(&self) -> CommandSpec {
        let mut script = OsString::from("exec ");
        script.push(self.command_line());
        script.push(" \"$@\"");
        CommandSpec {
            program: "/bin/sh".into(),
            // The word after the script is its `$0`.
            args: vec!["-c".into(), script, "qemu".into()],
        }
    }

    fn command_line(&self) -> OsString {
        let mut line = OsString::from(self.qemu_binary.as_deref().unwrap_or("qemu-kvm"));
        line.push(" -m 384");
        line.push(" -netdev user,id=net0");
        push_properties(&mut line, self.net_backend_args.as_deref());
        line.push(" -device virtio-net-pci,netdev=net0");
        push_properties(&mut line, self.net_frontend_args.as_deref());
        if let Some((image, interface)) = &self.hda {
            let image = absolute(image);
            if interface == "scsi" {
                line.push(" -drive id=hda,werror=report,if=none,file=");
                line.push(quoted_property(&image));
                line.push(" -device scsi-hd,drive=hda");
            } else {
                line.push(format!(" -drive werror=report,if={interface},file="));
                line.push(quoted_property(&image));
            }
        }
        if let Some(image) = &self.cdrom {
            line.push(" -cdrom ");
            line.push(quoted(absolute(image).as_os_str()));
        }
        if let Some(image) = &self.usb {
            line.push(" -device usb-ehci -drive id=usbdisk,if=none,readonly=on,file=");
            line.push(quoted_property(&absolute(image)));
            line.push(" -device usb-storage,drive=usbdisk");
        }
        if let Some(image) = &self.bios {
            line.push(" -bios ");
            line.push(quoted(absolute(image).as_os_str()));
        }
        if let Some(flags) = &self.qemu_flags {
            line.push(" ");
            line.push(flags);
        }
        line
    }
}

fn push_properties(line: &mut OsString, properties: Option<&str>) {
    if let Some(properties) = properties {
        line.push(",");
        line.push(properties);
    }
}

/// QEMU is started in another directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// `value` quoted as one shell word.
fn quoted(value: &OsStr) -> OsString {
    let bytes = value.as_bytes().iter().flat_map(|byte| match byte {
        b'\'' => &b"'\\''"[..],
        byte => std::slice::from_ref(byte),
    });
    let mut word = OsString::from("'");
    word.push(OsString::from_vec(bytes.copied().collect()));
    word.push("'");
    word
}

/// `path` as the value of a property, quoted.
fn quoted_property(path: &Path) -> OsString {
    quoted(&doubled_commas(path.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments() {
        assert_eq!(
            LegacyStartCommand::new().command_line(),
            "qemu-kvm -m 384 -netdev user,id=net0 -device virtio-net-pci,netdev=net0"
        );
    }

    #[test]
    fn with_every_argument() {
        let line = LegacyStartCommand::new()
            .qemu_binary("qemu-system-x86_64")
            .net_backend_args("restrict=on")
            .net_frontend_args("mac=52:54:00:12:34:56")
            .hda("/no/my disk,1.img", "scsi")
            .cdrom("/no/it's.iso")
            .usb("/no/usb.img")
            .bios("/no/bios.bin")
            .qemu_flags("-accel tcg")
            .command_line();
        assert_eq!(
            line,
            "qemu-system-x86_64 -m 384 -netdev user,id=net0,restrict=on \
             -device virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56 \
             -drive id=hda,werror=report,if=none,file='/no/my disk,,1.img' \
             -device scsi-hd,drive=hda \
             -cdrom '/no/it'\\''s.iso' \
             -device usb-ehci -drive id=usbdisk,if=none,readonly=on,file='/no/usb.img' \
             -device usb-storage,drive=usbdisk \
             -bios '/no/bios.bin' -accel tcg"
        );
    }

    #[test]
    fn other_interfaces_are_passed_to_if() {
        let line = LegacyStartCommand::new()
            .hda("/no/disk", "virtio")
            .command_line();
        assert!(
            line.to_str()
                .unwrap()
                .ends_with(" -drive werror=report,if=virtio,file='/no/disk'")
        );
    }
}
