#![doc = include_str!("../README.md")]

mod accel;
mod error;
mod guest_tree;
mod machine;
mod parse;
mod process;
mod qemu;
mod qemu_args;
mod saved;
mod sparse;
mod start;
mod state_dir;
mod template;
mod terminal;
mod unit;
mod vlan;
mod waiting;

pub use accel::{Accelerator, accelerator};
pub use backdoor_shell::{Command, DEFAULT_TIMEOUT, Exit, Output, TerminalKind, quote};
pub use error::{Error, ErrorKind, Evidence, Result};
#[cfg(feature = "ocr")]
pub use machine::Button;
pub use machine::{Builder, DEFAULT_KEY_DELAY, DEFAULT_LIMIT, Machine, PollingCondition, Snapshot};
pub use start::{LegacyStartCommand, QemuCommand, ShellCommand, StartCommand, StartScript};
pub use template::{Template, TemplateBuilder};
pub use unit::Unit;
pub use vlan::Vlan;

#[cfg(feature = "ocr")]
pub use ocr;
pub use {qmp_mon, serial_log};
