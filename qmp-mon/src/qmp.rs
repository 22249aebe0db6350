//! The machine protocol (QMP): lines of JSON, made for programs.

mod client;
mod codec;
mod events;
mod message;

pub use client::Qmp;
pub use codec::{MAX_MESSAGE, QmpCodec};
pub use events::Events;
pub use message::{Command, Event, Greeting, Message, Timestamp};
