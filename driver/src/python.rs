//! Test scripts, in an embedded Python.
//!
//! The names that scripts use are defined in Python, in `driver/python/test_driver`: a thin
//! layer over the native module `_vmwright`, which is defined here.

mod address;
mod callback;
mod duration;
mod errors;
mod locale;
mod log;
mod machine;
mod modules;
mod picture;
mod search;
mod settings;
mod step;
mod threads;
mod time_up;
mod tmp_dir;
mod vlan;
mod waiting;

use ::machine::report::{Failure, Outcome};
use pyo3::prelude::*;

use self::errors::FailureFields;
use crate::report::Report;
use crate::run::Run;

/// Initializes Python. It may replace this process, so call it before anything else starts.
pub(crate) fn begin() {
    Python::initialize();
    locale::ensure_utf8();
}

/// The names that every script has, separated by commas.
pub(crate) fn driver_symbols() -> Result<String, String> {
    let names = Python::attach(|py| {
        modules::add(py)?;
        let function = py.import("test_driver.run")?.getattr("driver_symbols")?;
        function.call0()?.extract()
    });
    names.map_err(|error: PyErr| error.to_string())
}

/// The end of a run, as Python returns it.
#[derive(FromPyObject)]
struct Ended {
    /// None if the run could not start.
    status: Option<u8>,
    outcome: String,
    failure: Option<FailureFields>,
    /// A line for the end of the summary.
    note: Option<String>,
}

/// Runs a script or a prompt; returns the exit code, or an error if it could not start.
pub(crate) fn run(run: &Run, report: &Report) -> Result<u8, String> {
    threads::set_main();
    let ended = match call(run, report) {
        Ok(ended) => ended,
        Err(error) => return Err(report_unstarted(report, error.to_string())),
    };
    let failure = ended.failure.map(errors::failure);
    let Some(status) = ended.status else {
        let message = failure.map_or_else(String::new, |failure| failure.message);
        return Err(report_unstarted(report, message));
    };
    let outcome = match ended.outcome.as_str() {
        "passed" => Outcome::Passed,
        "cancelled" => Outcome::Cancelled,
        "timed_out" => Outcome::TimedOut,
        _ => Outcome::Failed,
    };
    report.end(outcome, failure, ended.note.as_deref());
    Ok(status)
}

/// Writes the reports of a run that could not start; returns what to print instead of a
/// summary.
fn report_unstarted(report: &Report, message: String) -> String {
    let failure = Failure::new(message.clone(), None, false);
    let junit = report.write_junit(&failure).err();
    let trace = report.write(Outcome::Failed, Some(failure)).err();
    let trace = trace.map(|error| format!("no trace: {error}"));
    let lines: Vec<String> = [Some(message), junit, trace]
        .into_iter()
        .flatten()
        .collect();
    lines.join("\n")
}

/// Calls `test_driver.run`.
fn call(run: &Run, report: &Report) -> PyResult<Ended> {
    Python::attach(|py| {
        modules::add(py)?;
        log::set_report(report.clone());
        let function = py.import("test_driver.run")?.getattr("run")?;
        function.call1((settings::of(py, run)?,))?.extract()
    })
}
