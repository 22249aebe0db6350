//! The modules that scripts use, which the program holds.

use std::ffi::CString;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The modules of the package `test_driver`, each after those that it imports.
const PACKAGE: [(&str, &str); 12] = [
    ("errors", include_str!("../../python/test_driver/errors.py")),
    ("story", include_str!("../../python/test_driver/story.py")),
    ("logger", include_str!("../../python/test_driver/logger.py")),
    (
        "polling_condition",
        include_str!("../../python/test_driver/polling_condition.py"),
    ),
    (
        "start_command",
        include_str!("../../python/test_driver/start_command.py"),
    ),
    ("vlan", include_str!("../../python/test_driver/vlan.py")),
    ("keys", include_str!("../../python/test_driver/keys.py")),
    ("qemu", include_str!("../../python/test_driver/qemu.py")),
    (
        "machine",
        include_str!("../../python/test_driver/machine.py"),
    ),
    ("driver", include_str!("../../python/test_driver/driver.py")),
    ("prompt", include_str!("../../python/test_driver/prompt.py")),
    ("run", include_str!("../../python/test_driver/run.py")),
];

/// Makes them known to `import`.
pub(super) fn add(py: Python<'_>) -> PyResult<()> {
    let modules = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    modules.set_item("_vmwright", native(py)?)?;

    let text = include_str!("../../python/test_driver/__init__.py");
    let package = load(py, "test_driver", "<test_driver/__init__.py>", text)?;
    package.setattr("__path__", Vec::<String>::new())?;
    for (name, text) in PACKAGE {
        let file = format!("<test_driver/{name}.py>");
        let module = load(py, &format!("test_driver.{name}"), &file, text)?;
        package.setattr(PyString::new(py, name), module)?;
    }
    Ok(())
}

fn load<'py>(
    py: Python<'py>,
    name: &str,
    file: &str,
    text: &str,
) -> PyResult<Bound<'py, PyModule>> {
    PyModule::from_code(
        py,
        &CString::new(text)?,
        &CString::new(file)?,
        &CString::new(name)?,
    )
}

fn native(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "_vmwright")?;
    module.add_class::<super::machine::Machine>()?;
    module.add_class::<super::step::Step>()?;
    module.add_class::<super::tmp_dir::TmpDir>()?;
    module.add_class::<super::vlan::Vlan>()?;
    module.add_function(wrap_pyfunction!(super::log::log, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::printable, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::show_serial, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::elapsed, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::write_junit, &module)?)?;
    module.add_function(wrap_pyfunction!(super::waiting::wakeup_fd, &module)?)?;
    module.add("CLEAN_UP_SECONDS", super::waiting::CLEAN_UP.as_secs())?;
    Ok(module)
}
