//! QEMU command lines built in Rust.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    name: String,
    binary: PathBuf,
    memory_mib: u32,
    cpus: u32,
    boot: Vec<OsString>,
    disks: Vec<PathBuf>,
    args: Vec<OsString>,
}

impl QemuCommand {
    /// A machine called `name`: `qemu-system-x86_64` from `PATH`, 512 MiB, one
    /// CPU, a user-mode network, and the host's best accelerator.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            binary: "qemu-system-x86_64".into(),
            memory_mib: 512,
            cpus: 1,
            boot: Vec::new(),
            disks: Vec::new(),
            args: Vec::new(),
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

    pub(super) fn machine_name(&self) -> &str {
        &self.name
    }

    pub(super) fn spec(&self, accelerator: Accelerator, shared_dir: &Path) -> CommandSpec {
        let mut args: Vec<OsString> = vec![
            "-name".into(),
            doubled_commas(self.name.as_ref()),
            "-accel".into(),
            accelerator.name().into(),
            "-cpu".into(),
            accelerator.cpu().into(),
            "-m".into(),
            format!("{}M", self.memory_mib).into(),
            "-smp".into(),
            self.cpus.to_string().into(),
            "-netdev".into(),
            "user,id=net0".into(),
            "-device".into(),
            "virtio-net-pci,netdev=net0".into(),
            "-virtfs".into(),
            property(
                "local,mount_tag=shared,security_model=none,path=",
                shared_dir,
            ),
        ];
        args.extend(self.boot.iter().cloned());
        for disk in &self.disks {
            args.push("-drive".into());
            args.push(property("if=virtio,snapshot=on,file=", disk));
        }
        args.extend(self.args.iter().cloned());
        CommandSpec {
            program: self.binary.clone().into(),
            args,
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
            .args(["-vga", "none"])
            .spec(Accelerator::Tcg, Path::new("/s"));
        let line: Vec<_> = spec.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(spec.program, "qemu-system-x86_64");
        assert_eq!(
            line.join(" "),
            "-name a,,b -accel tcg -cpu max -m 512M -smp 1 \
             -netdev user,id=net0 -device virtio-net-pci,netdev=net0 \
             -virtfs local,mount_tag=shared,security_model=none,path=/s \
             -kernel /k -initrd /i -append console=ttyS0 \
             -drive if=virtio,snapshot=on,file=/d,,1 -vga none"
        );
    }
}
