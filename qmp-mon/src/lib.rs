#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! [`Hmp`] and [`Qmp`] are the clients, [`HmpCodec`] and [`QmpCodec`] the protocols. [`Events`] and
//! [`EventHistory`] have QMP's events, and [`Keys`] is what `send-key` takes. Everything fails with
//! [`Error`].
#![forbid(unsafe_code)]

mod connection;
mod error;
mod hmp;
mod keys;
mod qmp;
mod unix_socket;

pub use error::{Error, ErrorClass};
pub use hmp::{Hmp, HmpCodec, HmpCommand, HmpEvent, MAX_COMMAND, MAX_REPLY};
pub use keys::Keys;
pub use qmp::{
    Event, EventHistory, Events, Greeting, MAX_LINE, Qmp, QmpCodec, QmpCommand, QmpMessage, Version,
};
pub use serde_json;
