#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod hmp;
pub mod keys;
pub mod qmp;

pub use error::{Error, ErrorClass};
pub use hmp::Hmp;
pub use qmp::{Event, Events, Qmp};
