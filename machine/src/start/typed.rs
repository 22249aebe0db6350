//! QEMU command lines built in Rust.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::settings::{Settings, setters};
use crate::host::accelerator::Accelerator;
use crate::host::process::CommandSpec;
use crate::host::qemu_option::doubled_commas;

/// A QEMU command line built in Rust.
///
/// ```
/// use machine::QemuCommand;
///
/// let qemu = QemuCommand::new("router")
///     .memory_mib(256)
///     .kernel("/boot/vmlinuz", "/boot/initrd.img", "console=ttyS0 panic=-1")
///     .disk("/var/lib/images/router.qcow2")
///     .args(["-device", "e1000"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuCommand {
    pub(super) settings: Settings,
    binary: PathBuf,
    boot: Vec<OsString>,
    disks: Vec<PathBuf>,
    shares_dir: bool,
}

impl QemuCommand {
    /// A machine called `name`: `qemu-system-x86_64` from `PATH`, 512 MiB, one
    /// CPU, a user-mode network, and the host's best accelerator.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            settings: Settings::new(Some(name.into()), 512),
            binary: "qemu-system-x86_64".into(),
            boot: Vec::new(),
            disks: Vec::new(),
            shares_dir: false,
        }
    }

    /// The QEMU to run.
    #[must_use]
    pub fn binary(mut self, program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        // A plain name is looked up in `PATH`.
        self.binary = if program.components().count() > 1 {
            absolute(program)
        } else {
            program
        };
        self
    }

    setters!(settings);

    /// Boots a Linux kernel directly, without firmware or boot loader.
    #[must_use]
    pub fn kernel(
        mut self,
        kernel: impl Into<PathBuf>,
        initrd: impl Into<PathBuf>,
        command_line: impl Into<OsString>,
    ) -> Self {
        self.boot = vec![
            "-kernel".into(),
            absolute(kernel.into()).into(),
            "-initrd".into(),
            absolute(initrd.into()).into(),
            "-append".into(),
            command_line.into(),
        ];
        self
    }

    /// A virtio disk. The image is not changed: the guest's writes are discarded when the
    /// machine stops (QEMU's `snapshot=on`).
    #[must_use]
    pub fn disk(mut self, image: impl Into<PathBuf>) -> Self {
        self.disks.push(absolute(image.into()));
        self
    }

    /// Shares the directory that all machines have in common,
    /// [`Guest::shared_dir`](crate::Guest::shared_dir), with the guest by 9p, under the tag
    /// `shared`. Default: not shared; copies don't need it.
    #[must_use]
    pub fn shared_dir(mut self, shares: bool) -> Self {
        self.shares_dir = shares;
        self
    }

    pub(super) fn spec(&self, accelerator: Accelerator, shared_dir: &Path) -> CommandSpec {
        let mut args = self.boot.clone();
        if self.shares_dir {
            let share = "local,mount_tag=shared,security_model=none,path=";
            args.extend(["-virtfs".into(), property(share, shared_dir)]);
        }
        for disk in &self.disks {
            let drive = property("if=virtio,snapshot=on,file=", disk);
            args.extend(["-drive".into(), drive]);
        }
        CommandSpec {
            program: self.binary.clone().into(),
            args: self.settings.args(accelerator, args),
        }
    }
}

/// QEMU is started in another directory.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn property(properties: &str, path: &Path) -> OsString {
    let mut property = OsString::from(properties);
    property.push(doubled_commas(path.as_os_str()));
    property
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_command_line() {
        let spec = QemuCommand::new("a,b")
            .kernel("/k", "/i", "console=ttyS0")
            .disk("/d,1")
            .shared_dir(true)
            .args(["-vga", "none"])
            .spec(Accelerator::Tcg, Path::new("/s"));
        let line: Vec<_> = spec.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(spec.program, "qemu-system-x86_64");
        assert_eq!(
            line.join(" "),
            "-name a,,b -accel tcg -cpu max,la57=off,erms=off -m 512M -smp 1 \
             -netdev user,id=net0 -device virtio-net-pci,netdev=net0 \
             -kernel /k -initrd /i -append console=ttyS0 \
             -virtfs local,mount_tag=shared,security_model=none,path=/s \
             -drive if=virtio,snapshot=on,file=/d,,1 -vga none"
        );
    }
}
