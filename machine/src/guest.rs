//! A running Linux guest, driven through its root shell.

pub(crate) mod commands;
pub(crate) mod conditions;
pub(crate) mod console;
pub(crate) mod console_watch;
mod evidence;
mod files;
pub(crate) mod identity;
mod idle;
mod jobs;
pub(crate) mod last_bytes;
pub(crate) mod lifetime;
pub(crate) mod parse;
mod ports;
pub(crate) mod shared_dir;
mod step;
mod trouble;
mod units;
pub(crate) mod waiting;
