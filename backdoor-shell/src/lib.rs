#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! [`Shell`] is the client, and [`SharedShell`] one for several tasks. A [`Command`] gives an
//! [`Output`] with its [`Exit`], or fails with [`Error`]. [`quote`] makes a word of any text.
//! [`ShellCodec`] is the protocol.
#![forbid(unsafe_code)]

mod agent;
mod base64_stream;
mod codec;
mod command;
mod error;
mod frame;
mod greeting;
mod nonce;
mod port;
mod quote;
mod request;
mod shared_shell;
mod shell;

pub use agent::AGENT;
pub use codec::{Event, ShellCodec};
pub use command::{Command, DEFAULT_TIMEOUT, Exit, Output};
pub use error::Error;
pub use greeting::{BACKDOOR, GREETING};
pub use nonce::Nonce;
pub use port::PORT;
pub use quote::quote;
pub use request::{Encoding, Request, Signal};
pub use shared_shell::SharedShell;
pub use shell::{MAX_OUTPUT, NotASession, Session, Shell, TerminalKind};
