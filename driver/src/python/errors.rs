//! A machine's errors, as exceptions.

use machine::{Error, ErrorKind, serial_log};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exception of `test_driver.errors` that tells the same story.
pub(super) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    // What was demanded does not hold; or else something is broken.
    let class = match error.kind() {
        ErrorKind::CommandFailed { .. }
        | ErrorKind::CommandSucceeded { .. }
        | ErrorKind::TimedOut { .. }
        | ErrorKind::Console(serial_log::Error::TimedOut { .. })
        | ErrorKind::Condition { .. }
        | ErrorKind::Systemctl { .. }
        | ErrorKind::UnitState { .. } => "RequestedAssertionFailed",
        _ => "MachineError",
    };
    let made = py
        .import("test_driver.errors")
        .and_then(|errors| errors.getattr(class)?.call1((error.to_string(),)));
    made.map_or_else(
        |_| PyRuntimeError::new_err(error.to_string()),
        PyErr::from_value,
    )
}
