//! The Python modules that are part of this program.

use std::ffi::CString;

use machine::trace;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::exit_code;
use crate::junit;

/// Files of the package `test_driver`, with their contents.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../python/test_driver/", $path, ".py")))),*]
    };
}

/// All files, each after those that it imports.
const FILES: &[(&str, &str)] = &files![
    "__init__",
    "assertions",
    "duration",
    "errors",
    "failure",
    "logger",
    "polling_condition",
    "start_command",
    "tmp_dir",
    "vlan",
    "vsock",
    "keys",
    "machine/qmp",
    "qemu",
    "machine/search",
    "machine/lifecycle",
    "machine/shell",
    "machine/units",
    "machine/files",
    "machine/network",
    "machine/keyboard",
    "machine/console",
    "machine/trouble",
    "machine/screen",
    "machine/ocr",
    "machine/monitor",
    "efi_variable",
    "efi_image",
    "efi",
    "machine/firmware",
    "machine/__init__",
    "qmp",
    "config",
    "debug",
    "race_timer",
    "signals",
    "threads",
    "machines",
    "symbols",
    "subtests",
    "driver",
    "prompt",
    "run",
];

/// Adds the modules to `sys.modules`.
pub(super) fn add(py: Python<'_>) -> PyResult<()> {
    let modules = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    modules.set_item("_vmwright", native(py)?)?;

    for &(path, text) in FILES {
        let path = format!("test_driver/{path}");
        let name = path.trim_end_matches("/__init__").replace('/', ".");
        let module = load(py, &name, &format!("<{path}.py>"), text)?;
        if path.ends_with("/__init__") {
            // Makes it a package, without a directory to search for more modules.
            module.setattr("__path__", Vec::<String>::new())?;
        }
        // The parts of `machine` are loaded before it, as it imports them.
        let (package, own_name) = name.rsplit_once('.').unwrap_or_default();
        if let Some(package) = modules.get_item(package)? {
            package.setattr(PyString::new(py, own_name), module)?;
        }
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
    module.add_function(wrap_pyfunction!(
        super::settings::read_configuration,
        &module
    )?)?;
    module.add_function(wrap_pyfunction!(super::log::log, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::printable, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::show_serial, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::elapsed, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::next_error_id, &module)?)?;
    module.add_function(wrap_pyfunction!(super::log::write_junit, &module)?)?;
    module.add_function(wrap_pyfunction!(super::duration::scaled, &module)?)?;
    module.add_function(wrap_pyfunction!(super::picture::read_picture, &module)?)?;
    module.add_function(wrap_pyfunction!(super::waiting::wakeup_fd, &module)?)?;
    module.add_function(wrap_pyfunction!(super::threads::cancel_threads, &module)?)?;
    module.add_function(wrap_pyfunction!(super::time_up::end_after, &module)?)?;
    module.add_function(wrap_pyfunction!(super::time_up::cancel_end, &module)?)?;
    module.add("CLEAN_UP_SECONDS", super::time_up::CLEAN_UP.as_secs())?;
    module.add("MAIN", junit::MAIN)?;
    module.add("STEP_OK", trace::OK)?;
    module.add("STEP_FAILED", trace::FAILED)?;
    module.add("STEP_CANCELLED", trace::CANCELLED)?;
    for listed in exit_code::ALL {
        module.add(listed.name, listed.code)?;
    }
    Ok(module)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::FILES;

    fn python_files(dir: &Path) -> Vec<String> {
        let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| match path.to_str().unwrap() {
                _ if path.is_dir() => python_files(&path),
                name => name
                    .strip_suffix(".py")
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
            })
            .collect()
    }

    #[test]
    fn all_files_of_the_package_are_part_of_the_program() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/test_driver");
        let prefix = format!("{}/", package.display());
        let files = python_files(&package);
        let mut files: Vec<&str> = files
            .iter()
            .map(|file| file.strip_prefix(&prefix).unwrap())
            .collect();
        files.sort_unstable();
        let mut known: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        known.sort_unstable();
        assert_eq!(files, known);
    }
}
