//! Reports of runs: a log for a terminal, an HTML page, an XML log.
//!
//! Machines print nothing: they emit spans and events through [`tracing`]. Each report is a
//! [`Layer`](tracing_subscriber::Layer) of a subscriber:
//!
//! - [`Terminal`] writes a live log in the format of the NixOS test driver;
//! - [`Recorder`] records the run, and writes it as one HTML page;
//! - [`XmlLog`] writes a live log in the XML format of the NixOS test driver.
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
//!     tracing::info!("a message of a test");
//! });
//! recorder.conclude(Outcome::Passed, None);
//! # let dir = tempfile::tempdir()?;
//! # let trace = dir.path().join("trace.html");
//! recorder.write_page(&trace)?;
//! # assert!(std::fs::read_to_string(trace)?.contains("a message of a test"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Reports show what [`trace`](crate::trace) describes, and all other events at INFO and above.

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
mod step;
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
