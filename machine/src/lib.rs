#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod accel;
mod error;
mod guest_tree;
mod janitor;
mod last_bytes;
mod machine;
mod parse;
mod process;
mod qemu;
mod qemu_args;
#[cfg(feature = "report")]
pub mod report;
mod saved;
mod sparse;
mod start;
mod state_dir;
mod telling;
mod template;
mod terminal;
mod time_scale;
mod tmp_dir;
mod unit;
mod vlan;
mod waiting;
mod watch;

pub use accel::{Accelerator, accelerator};
pub use backdoor_shell::{Command, DEFAULT_TIMEOUT, Exit, MAX_OUTPUT, Output, TerminalKind, quote};
pub use error::{Error, ErrorKind, Evidence, INFRASTRUCTURE, Result};
#[cfg(feature = "ocr")]
pub use machine::Button;
pub use machine::{Builder, DEFAULT_KEY_DELAY, DEFAULT_LIMIT, Machine, PollingCondition, Snapshot};
pub use start::{LegacyStartCommand, QemuCommand, ShellCommand, StartCommand, StartScript};
pub use template::{Template, TemplateBuilder};
pub use time_scale::scaled;
pub use tmp_dir::TmpDir;
pub use unit::Unit;
pub use vlan::Vlan;
pub use watch::{Meaning, Trouble};

#[cfg(feature = "ocr")]
pub use ocr;
pub use {qmp_mon, serial_log};
