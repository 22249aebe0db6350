//! QEMU's settings in start commands for which the driver writes the whole command line.

use std::ffi::OsString;

use crate::host::accelerator::Accelerator;
use crate::host::qemu_option::doubled_commas;

/// The name of a machine that has no other.
const DEFAULT_NAME: &str = "machine";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) name: Option<String>,
    pub(super) memory_mib: u32,
    pub(super) cpus: u32,
    /// Additional arguments for QEMU.
    pub(super) args: Vec<OsString>,
}

/// Defines the setters of a start command with [`Settings`] in the given field.
macro_rules! setters {
    ($($field:ident).+) => {
        /// The guest's memory in MiB.
        #[must_use]
        pub fn memory_mib(mut self, mib: u32) -> Self {
            self.$($field).+.memory_mib = mib;
            self
        }

        /// The number of the guest's CPUs.
        #[must_use]
        pub fn cpus(mut self, cpus: u32) -> Self {
            self.$($field).+.cpus = cpus;
            self
        }

        /// Additional arguments for QEMU, unchanged.
        #[must_use]
        pub fn args<I>(mut self, args: I) -> Self
        where
            I: IntoIterator,
            I::Item: Into<std::ffi::OsString>,
        {
            let args = args.into_iter().map(Into::into);
            self.$($field).+.args.extend(args);
            self
        }
    };
}
pub(super) use setters;

impl Settings {
    /// One CPU, and no additional arguments.
    pub(super) fn new(name: Option<String>, memory_mib: u32) -> Self {
        Self {
            name,
            memory_mib,
            cpus: 1,
            args: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(DEFAULT_NAME)
    }

    /// The machine's name, processor, memory and user-mode network; then `more`, and the
    /// user's arguments.
    pub(super) fn args(&self, accelerator: Accelerator, more: Vec<OsString>) -> Vec<OsString> {
        let memory = format!("{}M", self.memory_mib);
        let cpus = self.cpus.to_string();
        let words = [
            ["-accel", accelerator.name()],
            ["-cpu", accelerator.cpu()],
            ["-m", &memory],
            ["-smp", &cpus],
            ["-netdev", "user,id=net0"],
            ["-device", "virtio-net-pci,netdev=net0"],
        ];
        let mut args = vec!["-name".into(), doubled_commas(self.name().as_ref())];
        args.extend(words.into_iter().flatten().map(OsString::from));
        args.extend(more);
        args.extend(self.args.iter().cloned());
        args
    }
}

/// Whether a guest can have it as its host name.
pub(crate) fn is_host_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with(['-', '.'])
        && name.chars().all(is_part)
}
