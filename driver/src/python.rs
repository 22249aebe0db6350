//! Test scripts, in an embedded Python.
//!
//! What scripts see is written in Python, in `driver/python/test_driver`. It is thin,
//! over the module `_vmwright`, which is written here: machines, networks, the log.

mod address;
mod errors;
mod locale;
mod log;
mod machine;
mod modules;
mod search;
mod step;
mod time_limit;
mod tmp_dir;
mod vlan;
mod waiting;

use ::machine::report::Outcome;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::exit_code;
use crate::report::Report;
use crate::run::Run;

/// Begins Python: before anything else begins.
pub(crate) fn begin() {
    Python::initialize();
    locale::ensure_utf8();
}

/// Runs a script, or a prompt: the exit status. What is wrong if nothing can begin.
pub(crate) fn run(run: &Run, report: &Report) -> Result<u8, String> {
    let _kill = run
        .global_timeout
        .map(|limit| waiting::end_after(limit, report.clone()));
    let (status, story) = call(run, report).unwrap_or_else(|error| (None, error.to_string()));
    let Some(status) = status else {
        // The reason is all there is to say.
        let junit = report.write_junit(&story).err();
        let trace = report.write(Outcome::Failed, &story).err();
        let trace = trace.map(|error| format!("no trace: {error}"));
        let told: Vec<String> = [Some(story), junit, trace].into_iter().flatten().collect();
        return Err(told.join("\n"));
    };
    let outcome = match status {
        exit_code::PASSED => Outcome::Passed,
        exit_code::TIMED_OUT => Outcome::TimedOut,
        exit_code::INTERRUPTED | exit_code::TERMINATED => Outcome::Cancelled,
        _ => Outcome::Failed,
    };
    report.end(outcome, &story);
    Ok(status)
}

/// The exit status, if something began, and what there is to say of it.
fn call(run: &Run, report: &Report) -> PyResult<(Option<u8>, String)> {
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
        run.call((), Some(&arguments))?.extract()
    })
}
