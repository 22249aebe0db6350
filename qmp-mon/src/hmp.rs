//! The human monitor (HMP): lines of text, made for people.
//!
//! QEMU echoes a command through its line editor, prints the reply, then the
//! prompt `(qemu) `. That prompt may stand in a reply, too, so it does not tell
//! where one ends. What does is a *fence*: after each command a second line is
//! sent, a `#` and a random number. QEMU reads it only when the command is done,
//! so that its echo, which no reply contains, follows the reply's end.

mod client;
mod codec;
mod grammar;
mod readline;

pub use client::Hmp;
pub use codec::{Fence, HmpCodec, HmpCommand, HmpEvent, MAX_COMMAND, MAX_REPLY};
