//! What is shown on standard error beside the command's own.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Shows the machine's warnings, or also what it does and its console.
pub(crate) fn show(verbose: bool) {
    let level = if verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::WARN
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false);
    let filter = Targets::new().with_target("machine", level);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
}

/// Shows what is being done on a terminal, until [`clear`] removes it.
pub(crate) fn doing(what: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[Kvmwright: {what}…");
    }
}

/// Removes the line of [`doing`].
pub(crate) fn clear() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
