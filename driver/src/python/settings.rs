//! The settings of a run, as `test_driver.config` takes them.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::config::Config;
use crate::run::Run;
use crate::run::machines::Kind;

/// The dictionary that `test_driver.config.Settings.of` takes.
pub(super) fn of<'py>(py: Python<'py>, run: &Run) -> PyResult<Bound<'py, PyDict>> {
    let settings = PyDict::new(py);
    let machines = run.machines.iter();
    let machines = machines.map(|machine| (&machine.name, kind(machine.kind), &machine.file));
    settings.set_item("machines", machines.collect::<Vec<_>>())?;
    settings.set_item("vlans", &run.vlans)?;
    settings.set_item(
        "test_script",
        run.script.as_ref().map(|script| &script.path),
    )?;
    let seconds = run.global_timeout.map(|limit| limit.as_secs_f64());
    settings.set_item("global_timeout", seconds)?;
    settings.set_item("enable_ssh_backdoor", run.ssh_backdoor)?;
    settings.set_item("name", run.name())?;
    settings.set_item("out_dir", &run.out_dir)?;
    settings.set_item("keep_machine_state", run.keep_vm_state)?;
    settings.set_item("templates", &run.templates)?;
    settings.set_item("interactive", run.interactive)?;
    settings.set_item("pause_on_failure", run.pause_on_failure)?;
    settings.set_item("timed_out_status", run.timed_out_code)?;
    settings.set_item("log_level", run.log_level as u8)?;
    settings.set_item("junit_xml", &run.junit_xml)?;
    settings.set_item("debug_hook_attach", &run.debug_hook_attach)?;
    settings.set_item("dump_vsocks", run.dump_vsocks)?;
    Ok(settings)
}

/// The field of `VMConfiguration`, or `container`.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::StartScript => "start_script",
        Kind::Image => "image",
        Kind::Kernel => "kernel",
        Kind::Container => "container",
    }
}

/// The dictionary that `DriverConfiguration.of` takes, from a configuration.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 passes values")]
pub(super) fn read_configuration(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let config = Config::read(&path).map_err(PyValueError::new_err)?;
    let settings = PyDict::new(py);
    let scripts = config.start_scripts();
    let scripts = scripts.map(|(name, script)| (name, kind(Kind::StartScript), script));
    let images = config
        .images()
        .map(|it| (it.name, kind(Kind::Image), it.file));
    let kernels = config
        .kernels()
        .map(|it| (it.name, kind(Kind::Kernel), it.file));
    let containers = config.containers();
    let containers = containers.map(|(name, path)| (name, kind(Kind::Container), path));
    let mut machines: Vec<_> = scripts.chain(images).chain(kernels).collect();
    machines.sort();
    machines.extend(containers);
    settings.set_item("machines", machines)?;
    settings.set_item("vlans", &config.vlans)?;
    settings.set_item("test_script", &config.test_script)?;
    settings.set_item("global_timeout", config.global_timeout.as_secs_f64())?;
    settings.set_item("enable_ssh_backdoor", config.enable_ssh_backdoor)?;
    Ok(settings)
}
