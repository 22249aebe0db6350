//! Start commands, as `test_driver.start_command` describes them.

use std::path::PathBuf;

use machine::{CloudImage, LegacyStartCommand, Linux, ShellCommand, StartCommand, StartScript};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The dictionary that a script's start command returns.
pub(super) fn description<'py>(
    py: Python<'py>,
    command: &Py<PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    Ok(command.bind(py).call0()?.cast_into::<PyDict>()?)
}

/// Converts such a dictionary.
pub(super) fn command(description: &Bound<'_, PyDict>) -> PyResult<StartCommand> {
    if let Some(line) = description.get_item("command")? {
        return Ok(line_or_script(&line.extract::<String>()?));
    }
    if let Some((image, name)) = file(description, "image")? {
        return Ok(CloudImage::new(image).name(name).into());
    }
    if let Some((kernel, name)) = file(description, "kernel")? {
        return Ok(Linux::new(kernel).host_root().name(name).into());
    }
    let Some(args) = description.get_item("legacy")? else {
        return Err(PyValueError::new_err(
            "a start command needs `command`, `image`, `kernel` or `legacy`",
        ));
    };
    legacy(&args.cast_into::<PyDict>()?).map(StartCommand::from)
}

/// The file under this key, and the machine's name.
fn file(description: &Bound<'_, PyDict>, key: &str) -> PyResult<Option<(PathBuf, String)>> {
    let Some(file) = description.get_item(key)? else {
        return Ok(None);
    };
    let name = description.as_any().get_item("name")?;
    Ok(Some((file.extract()?, name.extract()?)))
}

/// A start script if `line` is the path of a file, which may contain spaces, or looks like
/// one; otherwise a shell command.
fn line_or_script(line: &str) -> StartCommand {
    let script = StartScript::new(line);
    if script.path().is_file() || script.machine_name().is_some() && !line.contains(' ') {
        script.into()
    } else {
        ShellCommand::new(line).into()
    }
}

fn legacy(args: &Bound<'_, PyDict>) -> PyResult<LegacyStartCommand> {
    let mut command = LegacyStartCommand::new();
    for (name, value) in args {
        let text = || value.extract::<String>();
        command = match name.extract::<&str>()? {
            "net_backend_args" => command.net_backend_args(text()?),
            "net_frontend_args" => command.net_frontend_args(text()?),
            "hda" => {
                let (image, interface): (String, String) = value.extract()?;
                command.hda(image, interface)
            }
            "cdrom" => command.cdrom(text()?),
            "usb" => command.usb(text()?),
            "bios" => command.bios(text()?),
            "qemu_binary" => command.qemu_binary(text()?),
            "qemu_flags" => command.qemu_flags(text()?),
            other => return Err(PyValueError::new_err(format!("unknown argument {other}"))),
        };
    }
    Ok(command)
}
