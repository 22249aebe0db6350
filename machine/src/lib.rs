#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod error;
mod guest;
mod host;
mod instance;
mod machine;
#[cfg(feature = "report")]
pub mod report;
mod start;
mod template;
mod time_scale;
pub mod trace;
mod unit;

pub use backdoor_shell::{Command, DEFAULT_TIMEOUT, Exit, MAX_OUTPUT, Output, TerminalKind, quote};
pub use error::{Error, ErrorKind, Evidence, INFRASTRUCTURE, Result};
pub use guest::conditions::PollingCondition;
pub use guest::console_watch::{Meaning, Trouble};
pub use host::accelerator::{Accelerator, accelerator};
pub use host::tmp_dir::TmpDir;
pub use host::vlan::Vlan;
#[cfg(feature = "ocr")]
pub use machine::Button;
pub use machine::{Builder, DEFAULT_KEY_DELAY, DEFAULT_LIMIT, Machine, Snapshot};
pub use start::{LegacyStartCommand, QemuCommand, ShellCommand, StartCommand, StartScript};
pub use template::{Template, TemplateBuilder};
pub use time_scale::scaled;
pub use unit::Unit;

#[cfg(feature = "ocr")]
pub use ocr;
pub use {qmp_mon, serial_log};
