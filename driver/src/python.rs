//! Test scripts, in an embedded Python.
//!
//! What scripts see is written in Python, in `driver/python/test_driver`. It is thin,
//! over the module `_vmwright`, which is written here: machines, networks, the log.

mod address;
mod errors;
mod log;
mod machine;
mod modules;
mod search;
mod time_limit;
mod vlan;
mod waiting;

pub(crate) use log::shows_serial;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::run::Run;

/// Runs a script, or a prompt: the exit status.
pub(crate) fn run(run: &Run) -> PyResult<u8> {
    Python::initialize();
    let _kill = run.global_timeout.map(waiting::end_after);
    Python::attach(|py| {
        modules::add(py)?;
        let arguments = PyDict::new(py);
        arguments.set_item("start_scripts", &run.start_scripts)?;
        arguments.set_item("vlans", &run.vlans)?;
        arguments.set_item("script", &run.script)?;
        arguments.set_item("out_dir", &run.out_dir)?;
        arguments.set_item("keep_vm_state", run.keep_vm_state)?;
        arguments.set_item("interactive", run.interactive)?;
        let seconds = run.global_timeout.map(|limit| limit.as_secs_f64());
        arguments.set_item("global_timeout", seconds)?;
        arguments.set_item("junit_xml", &run.junit_xml)?;
        let run = py.import("test_driver.run")?.getattr("run")?;
        run.call((), Some(&arguments))?.extract()
    })
}
