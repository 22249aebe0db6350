//! QEMU's human monitor (HMP), as it talks on a socket.
//!
//! It is made for a person at a terminal: it echoes each typed byte by
//! redrawing the line with escape sequences, ends lines in CR LF, and says that
//! a reply is over only by printing its prompt, `(qemu) `, which a reply may
//! contain as well. How a reply is told from all that is said in `readline`.

mod client;
mod codec;
mod command;
mod grammar;
mod readline;

pub use client::Hmp;
pub use codec::{HmpCodec, HmpEvent, MAX_REPLY};
pub use command::{HmpCommand, MAX_COMMAND};
