#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! - [`Machine`] is started, rebooted, typed to and looked at. Its commands, files, units, ports and
//!   console are those of [`Guest`], which a [`Container`] has, too.
//! - What it starts from: [`CloudImage`], [`DiskImage`], [`Linux`], [`StartScript`],
//!   [`QemuCommand`], [`ShellCommand`], [`LegacyStartCommand`]. Networks: [`Vlan`].
//! - Booted once: [`Template`], and [`LazyTemplate`] for the tests of a file; [`Snapshot`].
//! - What went wrong: [`Error`], [`ErrorKind`]. What is reported: [`trace`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod container;
mod error;
mod exit_reason;
mod guest;
mod host;
mod instance;
mod machine;
#[cfg(feature = "report")]
pub mod report;
mod start;
mod sync;
mod template;
mod time_scale;
pub mod trace;
mod trouble;
mod unit;

pub use backdoor_shell::{Command, DEFAULT_TIMEOUT, Exit, MAX_OUTPUT, Output, TerminalKind, quote};
pub use container::{Container, ContainerBuilder, ContainerCommand};
pub use error::{Error, ErrorKind, Evidence, INFRASTRUCTURE, LoginError, Result};
pub use exit_reason::ExitReason;
pub use guest::{Guest, PollingCondition};
pub use host::accelerator::{Accelerator, accelerator};
pub use host::cache_dir::path as cache_dir;
#[doc(hidden)] // for the repository's own tests
pub use host::own_namespace::OwnNamespace;
pub use host::tmp_dir::TmpDir;
pub use host::vlan::Vlan;
#[cfg(feature = "screen")]
pub use machine::Button;
pub use machine::{Builder, DEFAULT_KEY_DELAY, Machine, Snapshot};
pub use start::{
    CloudImage, DiskImage, LegacyStartCommand, Linux, QemuCommand, ShellCommand, StartCommand,
    StartScript, clear_roots,
};
pub use template::{LazyTemplate, Template, TemplateBuilder};
pub use time_scale::scaled;
pub use trouble::{Meaning, Trouble};
pub use unit::Unit;

#[cfg(feature = "screen")]
pub use ocr;
pub use {backdoor_shell, qmp_mon, serial_log};
