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
mod step;
mod tmp_dir;
mod vlan;
mod waiting;

use ::machine::report::{Failure, Outcome};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::exit_code;
use crate::report::Report;
use crate::run::Run;

/// Initializes Python. It may replace this process, so call it before anything else starts.
pub(crate) fn begin() {
    Python::initialize();
    locale::ensure_utf8();
}

/// Runs a script or a prompt; returns the exit code, or an error if it could not start.
pub(crate) fn run(run: &Run, report: &Report) -> Result<u8, String> {
    let _kill = run
        .global_timeout
        .map(|limit| waiting::end_after(limit, report.clone()));
    let (status, failure) = call(run, report).unwrap_or_else(|error| {
        let failure = Failure::new(error.to_string(), None, false);
        (None, Some(failure))
    });
    let Some(status) = status else {
        return Err(report_unstarted(report, failure));
    };
    let outcome = match status {
        exit_code::PASSED => Outcome::Passed,
        exit_code::TIMED_OUT => Outcome::TimedOut,
        exit_code::INTERRUPTED | exit_code::TERMINATED => Outcome::Cancelled,
        _ => Outcome::Failed,
    };
    report.end(outcome, failure);
    Ok(status)
}

/// Writes the reports of a run that could not start; returns what to print instead of a
/// summary.
fn report_unstarted(report: &Report, failure: Option<Failure>) -> String {
    let failure = failure.unwrap_or_else(|| Failure::new("", None, false));
    let message = failure.message.clone();
    let junit = report.write_junit(&failure).err();
    let trace = report.write(Outcome::Failed, Some(failure)).err();
    let trace = trace.map(|error| format!("no trace: {error}"));
    let lines: Vec<String> = [Some(message), junit, trace]
        .into_iter()
        .flatten()
        .collect();
    lines.join("\n")
}

/// Calls `test_driver.run`. There is no exit code if the run could not start.
fn call(run: &Run, report: &Report) -> PyResult<(Option<u8>, Option<Failure>)> {
    Python::attach(|py| {
        modules::add(py)?;
        log::set_report(report.clone());
        let arguments = PyDict::new(py);
        arguments.set_item("start_scripts", &run.start_scripts)?;
        arguments.set_item("vlans", &run.vlans)?;
        arguments.set_item("script", &run.script)?;
        arguments.set_item("out_dir", &run.out_dir)?;
        arguments.set_item("keep_vm_state", run.keep_vm_state)?;
        arguments.set_item("templates", &run.templates)?;
        arguments.set_item("interactive", run.interactive)?;
        arguments.set_item("pause_on_failure", run.pause_on_failure)?;
        let seconds = run.global_timeout.map(|limit| limit.as_secs_f64());
        arguments.set_item("global_timeout", seconds)?;
        arguments.set_item("junit_xml", &run.junit_xml)?;
        arguments.set_item("name", run.name())?;
        let run = py.import("test_driver.run")?.getattr("run")?;
        let (status, failure) = run.call((), Some(&arguments))?.extract()?;
        Ok((status, Option::map(failure, errors::failure)))
    })
}
