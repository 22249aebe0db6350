//! Functions by which scripts log and report.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use machine::trace::{self, CONSOLE};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::errors::{FailureFields, failure};
use crate::junit::{self, Case};
use crate::report::{self, Report};

/// The report of the run.
static REPORT: OnceLock<Report> = OnceLock::new();

/// Sets the report that scripts write to.
pub(super) fn set_report(report: Report) {
    // There is one run per process.
    REPORT.get_or_init(|| report);
}

/// The report that scripts write to.
pub(super) fn report() -> Option<&'static Report> {
    REPORT.get()
}

/// Logs a message, under the name of a machine if one is given.
#[pyfunction]
pub(super) fn log(level: &str, message: &str, machine: Option<&str>) {
    let machine = machine.unwrap_or_default();
    match level {
        "error" => tracing::error!(machine, "{message}"),
        "warning" => tracing::warn!(machine, "{message}"),
        "serial" => tracing::debug!(target: CONSOLE, machine, "{message}"),
        _ => tracing::info!(machine, "{message}"),
    }
}

/// Escapes control characters in a line.
#[pyfunction]
pub(super) fn printable(line: &str) -> Cow<'_, str> {
    machine::serial_log::printable(line)
}

/// Shows or hides the lines of consoles from now on.
#[pyfunction]
pub(super) fn show_serial(enable: bool) {
    report::show_consoles(enable);
}

/// Seconds since the start of the run.
#[pyfunction]
pub(super) fn elapsed() -> f64 {
    REPORT
        .get()
        .map_or(0.0, |report| report.elapsed().as_secs_f64())
}

/// A new identifier for a failure in the trace.
#[pyfunction]
pub(super) fn next_error_id() -> u64 {
    trace::next_error_id()
}

/// Writes the outcome of the run `name`. For each part: its name, its start and end in seconds
/// since the start of the run, and its failure.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 passes values")]
pub(super) fn write_junit(
    path: PathBuf,
    name: &str,
    cases: Vec<(String, f64, f64, Option<FailureFields>)>,
) -> PyResult<()> {
    let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let log = |start, end| {
        let report = REPORT.get();
        report.map_or_else(String::new, |report| report.log(start, end))
    };
    let cases = cases.into_iter().map(|(name, start, end, fields)| {
        let (start, end) = (seconds(start), seconds(end));
        Case {
            name,
            time: end.saturating_sub(start),
            failure: fields.map(failure),
            output: log(start, end),
        }
    });
    let whole = log(Duration::ZERO, Duration::MAX);
    junit::write(&path, name, cases.collect(), &whole).map_err(PyOSError::new_err)
}
