//! What scripts say.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::junit::{self, Case};
use crate::report::{self, Report};

/// The reports of the run.
static REPORT: OnceLock<Report> = OnceLock::new();

/// Has scripts know the reports of their run.
pub(super) fn set_report(report: Report) {
    // There is one run.
    REPORT.get_or_init(|| report);
}

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

/// A line without what steers a terminal.
#[pyfunction]
pub(super) fn printable(line: &str) -> Cow<'_, str> {
    machine::serial_log::printable(line)
}

/// Whether consoles are shown from now on.
#[pyfunction]
pub(super) fn show_serial(enable: bool) {
    report::show_consoles(enable);
}

/// Seconds since the run's beginning.
#[pyfunction]
pub(super) fn elapsed() -> f64 {
    REPORT
        .get()
        .map_or(0.0, |report| report.elapsed().as_secs_f64())
}

/// Writes the outcome of a run: each part's name, when it began and ended, and what is
/// wrong.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 gives values")]
pub(super) fn write_junit(
    path: PathBuf,
    name: &str,
    cases: Vec<(String, f64, f64, Option<String>)>,
) -> PyResult<()> {
    let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let cases = cases.into_iter().map(|(name, began, ended, wrong)| {
        let (began, ended) = (seconds(began), seconds(ended));
        Case {
            name,
            time: ended.saturating_sub(began),
            wrong,
            output: REPORT
                .get()
                .map_or_else(String::new, |report| report.log(began, ended)),
        }
    });
    junit::write(&path, name, cases.collect()).map_err(PyOSError::new_err)
}
