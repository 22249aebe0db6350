//! What scripts say.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::junit::{self, Case};

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

/// Writes the outcome of a run: each part's name, seconds, and what is wrong.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 gives values")]
pub(super) fn write_junit(
    path: PathBuf,
    name: &str,
    cases: Vec<(String, f64, Option<String>)>,
) -> PyResult<()> {
    let cases = cases.into_iter().map(|(name, seconds, wrong)| Case {
        name,
        time: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        wrong,
    });
    junit::write(&path, name, cases.collect()).map_err(PyOSError::new_err)
}

/// Whether consoles are shown.
pub(crate) fn shows_serial() -> bool {
    SHOWS_SERIAL.load(Ordering::Relaxed)
}
