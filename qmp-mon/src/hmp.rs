//! QEMU's human monitor (HMP) on a socket.
//!
//! It is designed for terminals: it echoes each byte by redrawing the line with
//! escape sequences, ends lines with CR LF, and marks the end of a reply only by
//! its prompt, `(qemu) `, which a reply may contain. `readline` describes how
//! replies are delimited.

mod client;
mod codec;
mod command;
mod grammar;
mod readline;

pub use client::Hmp;
pub use codec::{HmpCodec, HmpEvent, MAX_REPLY};
pub use command::{HmpCommand, MAX_COMMAND};
