//! Machines that start from an unmodified disk image.

use std::ffi::OsString;
use std::path::PathBuf;

use super::base_image::BaseImage;
use super::credentials;
use crate::host::accelerator::Accelerator;
use crate::host::process::CommandSpec;
use crate::host::qemu_option::doubled_commas;

/// The machine's own disk, in its directory.
pub(super) const DISK: &str = "disk.qcow2";

/// The character device to which the port is connected that wakes the guest's shell.
pub(crate) const WAKE_CHARDEV: &str = "vmwright-wake";

/// A machine that starts from a disk image, qcow2 or raw, which is not changed: the machine
/// writes to an overlay in its state directory.
///
/// The guest needs no preparation, no network and no password. Its root shell is started by
/// systemd, version 252 or newer, which reads credentials from the SMBIOS: that is Debian 12,
/// Ubuntu 23.04, Fedora 38, RHEL 9.2 and newer. The guest needs bash and a kernel with
/// virtio and `CONFIG_DMI_SYSFS`. For images with cloud-init, see
/// [`CloudImage`](crate::CloudImage).
///
/// ```no_run
/// use machine::{DiskImage, Machine};
///
/// # async fn example() -> machine::Result<()> {
/// let vm = Machine::new(DiskImage::new("server.qcow2").memory_mib(2048))?;
/// assert_eq!(vm.succeed("id -u").await?, "0\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskImage {
    pub(super) image: BaseImage,
    pub(super) name: Option<String>,
    memory_mib: u32,
    cpus: u32,
    args: Vec<OsString>,
}

impl DiskImage {
    /// The image at `path`, which is not read before the machine starts: 1024 MiB of memory,
    /// one CPU, a user-mode network, and the host's best accelerator.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        Self {
            name: stem.filter(|stem| is_host_name(stem)).map(str::to_owned),
            image: BaseImage::new(path),
            memory_mib: 1024,
            cpus: 1,
            args: Vec::new(),
        }
    }

    /// The machine's name. Default: that of the image's file without its extension, if it
    /// can be a host name, or `machine`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The guest's memory in MiB.
    #[must_use]
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// The number of the guest's CPUs.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// The size of the guest's disk in GiB, at least that of the image, which is the
    /// default. The guest's file systems grow only if the guest enlarges them.
    #[must_use]
    pub fn size_gib(mut self, gib: u32) -> Self {
        self.image.size_gib = Some(gib);
        self
    }

    /// The SHA-256 sum that the image must have, in hexadecimal digits. It is computed when
    /// the machine's disk is created; in one process, once for each version of the image.
    #[must_use]
    pub fn sha256(mut self, sum: impl Into<String>) -> Self {
        self.image.sha256 = Some(sum.into());
        self
    }

    /// Additional arguments for QEMU, unchanged.
    #[must_use]
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The machine's name, and the guest's host name if it has no other.
    pub(super) fn host_name(&self) -> &str {
        self.name.as_deref().unwrap_or("machine")
    }

    /// QEMU, started in the machine's directory, with these arguments besides those of the
    /// machine itself.
    pub(super) fn spec(&self, accelerator: Accelerator, more: &[&str]) -> CommandSpec {
        let cpu = match accelerator {
            Accelerator::Kvm => accelerator.cpu(),
            // Without features that are slow in emulation.
            Accelerator::Tcg => "max,la57=off,erms=off",
        };
        let memory = format!("{}M", self.memory_mib);
        let cpus = self.cpus.to_string();
        let disk = format!("if=virtio,format=qcow2,discard=unmap,file={DISK}");
        let wake = format!("null,id={WAKE_CHARDEV}");
        let mut args = vec!["-name".into(), doubled_commas(self.host_name().as_ref())];
        let words = [
            ["-accel", accelerator.name()],
            ["-cpu", cpu],
            ["-m", &memory],
            ["-smp", &cpus],
            ["-netdev", "user,id=net0"],
            ["-device", "virtio-net-pci,netdev=net0"],
            ["-drive", &disk],
            ["-chardev", &wake],
        ];
        args.extend(words.into_iter().flatten().map(OsString::from));
        for file in credentials::files() {
            args.extend(["-smbios".into(), credentials::argument(&file).into()]);
        }
        args.extend(more.iter().map(OsString::from));
        args.extend(self.args.iter().cloned());
        CommandSpec {
            program: "qemu-system-x86_64".into(),
            args,
        }
    }
}

/// Whether a guest can have it as its host name.
fn is_host_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with(['-', '.'])
        && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_the_name_of_its_image() {
        let name = |path: &str| DiskImage::new(path).name;
        assert_eq!(
            name("/images/debian-12.1.qcow2").as_deref(),
            Some("debian-12.1")
        );
        assert_eq!(name("my image.raw"), None);
        assert_eq!(name("/"), None);
    }

    #[test]
    fn a_whole_command_line() {
        let image = DiskImage::new("/i/a.raw").cpus(2).args(["-vga", "none"]);
        let spec = image.spec(Accelerator::Tcg, &["-snapshot"]);
        let line: Vec<_> = spec.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            line.join(" "),
            "-name a -accel tcg -cpu max,la57=off,erms=off -m 1024M -smp 2 \
             -netdev user,id=net0 -device virtio-net-pci,netdev=net0 \
             -drive if=virtio,format=qcow2,discard=unmap,file=disk.qcow2 \
             -chardev null,id=vmwright-wake \
             -smbios type=11,path=credentials/tmpfiles.extra \
             -smbios type=11,path=credentials/vmwright.backdoor \
             -smbios type=11,path=credentials/systemd.extra-unit.vmwright-shell.service \
             -smbios type=11,path=credentials/systemd.unit-dropin.sysinit.target \
             -smbios type=11,path=credentials/systemd.unit-dropin.serial-getty@hvc0.service -snapshot -vga none"
        );
    }
}
