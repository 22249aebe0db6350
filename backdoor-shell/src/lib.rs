#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod agent;
mod base64_stream;
mod client;
mod codec;
mod collected;
mod command;
mod error;
mod frame;
mod greeting;
mod interact;
mod nonce;
mod put;
mod quote;
mod request;
mod session;

pub use agent::{AGENT, PORT};
pub use client::Shell;
pub use codec::{Event, ShellCodec};
pub use collected::MAX_OUTPUT;
pub use command::{Command, DEFAULT_TIMEOUT, Exit, Output};
pub use error::Error;
pub use greeting::GREETING;
pub use interact::TerminalKind;
pub use nonce::Nonce;
pub use quote::quote;
pub use request::{Encoding, Request, Signal};
pub use session::{NotASession, Session};
