#![doc = include_str!("../README.md")]

mod accel;
mod error;
mod machine;
mod process;
mod qemu;
mod qemu_args;
mod start;
mod state_dir;
mod waiting;

pub use accel::{Accelerator, accelerator};
pub use backdoor_shell::{Command, DEFAULT_TIMEOUT, Exit, Output, quote};
pub use error::{Error, ErrorKind, Result};
pub use machine::{Builder, Machine};
pub use start::{LegacyStartCommand, QemuCommand, StartCommand, StartScript};

pub use {qmp_mon, serial_log};
