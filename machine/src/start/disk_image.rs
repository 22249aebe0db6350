//! Machines that start from an unmodified disk image.

use std::ffi::OsString;
use std::path::PathBuf;

use super::base_image::BaseImage;
use super::credentials;
use super::serial_login::SerialLogin;
use super::settings::{Settings, is_host_name, setters};
use crate::host::accelerator::Accelerator;
use crate::host::process::CommandSpec;

/// The machine's own disk, in its directory.
pub(super) const DISK: &str = "disk.qcow2";

/// The character device of the port that starts the guest's shell.
pub(crate) const START_CHARDEV: &str = "vmwright-start";

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
    pub(super) settings: Settings,
    pub(super) login: Option<SerialLogin>,
}

impl DiskImage {
    /// The image at `path`, which is not read before the machine starts: 1024 MiB of memory,
    /// one CPU, a user-mode network, and the host's best accelerator.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = stem.filter(|stem| is_host_name(stem)).map(str::to_owned);
        Self {
            settings: Settings::new(name, 1024),
            image: BaseImage::new(path),
            login: None,
        }
    }

    /// The machine's name. Default: that of the image's file without its extension, if it
    /// can be a host name, or `machine`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    setters!(settings);

    /// The size of the guest's disk in GiB, at least that of the image, which is the
    /// default. The guest's file systems grow only if the guest enlarges them.
    #[must_use]
    pub fn size_gib(mut self, gib: u32) -> Self {
        self.image.size_gib = Some(gib);
        self
    }

    /// The SHA-256 sum that the image must have, in hexadecimal digits. It is computed when
    /// the machine's disk is created, once for each version of the image.
    #[must_use]
    pub fn sha256(mut self, sum: impl Into<String>) -> Self {
        self.image.sha256 = Some(sum.into());
        self
    }

    /// Logs in on the serial console, at every boot, and starts the root shell there: for
    /// guests whose systemd is too old for credentials, or which have none, such as
    /// appliances.
    ///
    /// The guest must ask for a login on its first serial port, and have `base64` and `setsid`.
    /// The user is root, or may use `sudo` without a password. If the guest refuses the
    /// login, operations that need the shell fail at once, with
    /// [`SerialLogin`](crate::ErrorKind::SerialLogin).
    ///
    /// The password is not logged, unless the guest itself shows it.
    ///
    /// ```no_run
    /// use machine::{DiskImage, Machine};
    ///
    /// # async fn example() -> machine::Result<()> {
    /// let disk = DiskImage::new("appliance.img").serial_login("root", "secret");
    /// let vm = Machine::new(disk)?;
    /// assert_eq!(vm.succeed("id -u").await?, "0\n");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn serial_login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some(SerialLogin {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// QEMU, started in the machine's directory, with these arguments besides those of the
    /// machine itself.
    pub(super) fn spec(&self, accelerator: Accelerator, more: &[&str]) -> CommandSpec {
        let disk = format!("if=virtio,format=qcow2,discard=unmap,file={DISK}");
        let start_port = format!("null,id={START_CHARDEV}");
        let mut args = ["-drive", &disk, "-chardev", &start_port]
            .map(OsString::from)
            .to_vec();
        for file in credentials::files() {
            args.extend(["-smbios".into(), credentials::argument(&file).into()]);
        }
        args.extend(more.iter().map(OsString::from));
        CommandSpec {
            program: "qemu-system-x86_64".into(),
            args: self.settings.args(accelerator, args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_the_name_of_its_image() {
        let name = |path: &str| DiskImage::new(path).settings.name;
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
             -chardev null,id=vmwright-start \
             -smbios type=11,path=credentials/tmpfiles.extra \
             -smbios type=11,path=credentials/vmwright.backdoor \
             -smbios type=11,path=credentials/systemd.extra-unit.vmwright-shell.service \
             -smbios type=11,path=credentials/systemd.unit-dropin.sysinit.target \
             -smbios type=11,path=credentials/systemd.unit-dropin.serial-getty@hvc0.service -snapshot -vga none"
        );
    }
}
