//! Reports of what machines do: a log for a terminal, a page of a whole run, an XML log.
//!
//! A machine tells of everything through [`tracing`], and prints nothing. These are
//! consumers of that, each a [`Layer`](tracing_subscriber::Layer) of a subscriber:
//!
//! - [`Terminal`] writes a log as it happens, in the form of the NixOS test driver's;
//! - [`Recorder`] remembers everything, and makes one HTML page of it;
//! - [`XmlLog`] writes the NixOS test driver's XML, as it happens.
//!
//! ```
//! use machine::report::{Outcome, Recorder, Terminal};
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let recorder = Recorder::new("the name of the test");
//! let subscriber = tracing_subscriber::registry()
//!     .with(Terminal::new(std::io::stderr).layer())
//!     .with(recorder.layer());
//! tracing::subscriber::with_default(subscriber, || {
//!     tracing::info!("what a test says is part of the report");
//! });
//! recorder.conclude(Outcome::Passed, None);
//! # let dir = tempfile::tempdir()?;
//! # let trace = dir.path().join("trace.html");
//! recorder.write_page(&trace)?;
//! # assert!(std::fs::read_to_string(trace)?.contains("what a test says"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is told
//!
//! | target | is | has |
//! |---|---|---|
//! | `machine::step` | a span at INFO: something that is done | `machine`, `what`; at its end `outcome` (`ok`, `failed`, `cancelled`) and `error` |
//! | `machine::console` | an event at DEBUG: a line of the serial console | `machine`, `message` |
//! | `machine::output` | an event at DEBUG: what a command came to | `machine`, `command`, `status`, `output`, `seconds`, `error` |
//! | `machine::screen` | an event at TRACE: a picture that was kept, or read | `machine`, `png`, `path`, `text`, `words` |
//!
//! A span of your own with the target `machine::step` and these fields groups the steps
//! in it; it needs no `machine`. Everything else that is told at INFO or above is
//! part of a report, too.

mod console;
mod fields;
mod files;
mod log;
mod log_entry;
mod outcome;
mod page;
mod pictures;
mod record;
mod recorder;
mod root_cause;
mod subscriber;
mod summary;
mod terminal;
#[cfg(test)]
mod tests;
mod timestamp;
mod truncated;
mod xml_log;

pub use outcome::{Failure, Outcome};
pub use recorder::Recorder;
pub use summary::Summary;
pub use terminal::Terminal;
pub use xml_log::XmlLog;
