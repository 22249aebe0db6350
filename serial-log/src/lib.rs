#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! [`SerialLog`] is the client; [`Builder`] configures it, with a [`Spool`] for the log's file.
//! [`Follow`] is a stream of the text. Waits give a [`Match`], or fail with [`Error`].
//! [`LineCodec`] decodes lines.
#![forbid(unsafe_code)]

mod builder;
mod client;
mod codec;
mod error;
mod follow;
mod history;
mod log;
mod printable;
mod reader;
mod screen;
mod search;
mod spool;
mod terminal;
mod visible;
mod wait;

pub use builder::Builder;
pub use client::{Match, SerialLog};
pub use codec::{Event, LineCodec, MAX_LINE};
pub use error::{Ending, Error, excerpt};
pub use follow::Follow;
pub use log::LogText;
pub use printable::printable;
pub use search::LOOK_BACK;
pub use spool::Spool;
pub use visible::visible;
