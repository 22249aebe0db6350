#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod agent;
mod base64_stream;
mod client;
mod codec;
mod command;
mod error;
mod frame;
mod nonce;
mod quote;

pub use agent::PORT;
pub use client::{GREETING, Shell, TerminalKind};
pub use codec::{Event, Request, ShellCodec, Signal};
pub use command::{Command, DEFAULT_TIMEOUT, Exit, Output};
pub use error::Error;
pub use nonce::Nonce;
pub use quote::quote;
