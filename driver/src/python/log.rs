//! What scripts say.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

/// Whether consoles are shown. That of each machine is asked, too.
static SHOWS_SERIAL: AtomicBool = AtomicBool::new(true);

/// Says something, of a machine's if it is named.
#[pyfunction]
pub(super) fn log(level: &str, message: &str, machine: Option<&str>) {
    let machine = machine.unwrap_or_default();
    match level {
        "error" => tracing::error!(machine, "{message}"),
        "warning" => tracing::warn!(machine, "{message}"),
        "serial" => tracing::debug!(target: "machine::console", machine, "{message}"),
        _ => tracing::info!(machine, "{message}"),
    }
}

/// Whether consoles are shown from now on.
#[pyfunction]
pub(super) fn show_serial(enable: bool) {
    SHOWS_SERIAL.store(enable, Ordering::Relaxed);
}

/// Whether consoles are shown.
pub(crate) fn shows_serial() -> bool {
    SHOWS_SERIAL.load(Ordering::Relaxed)
}
