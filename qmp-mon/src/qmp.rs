//! QEMU's machine protocol (QMP): one JSON object per line, in both directions.
//!
//! Source: QEMU's `docs/interop/qmp-spec`, checked on QEMU 7.2.

mod client;
mod codec;
mod event_history;
mod event_log;
mod event_source;
mod events;
mod json;
mod message;

pub use client::Qmp;
pub use codec::{MAX_LINE, QmpCodec};
pub use event_history::EventHistory;
pub use events::Events;
pub use message::{Event, Greeting, QmpCommand, QmpMessage, Version};
