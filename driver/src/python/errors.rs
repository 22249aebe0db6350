//! Conversion of machine errors to Python exceptions, and of exceptions to failures in a
//! report.

use machine::report::Failure;
use machine::{Error, ErrorKind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// A `test_driver.failure.Failure`: message, error id, infrastructure, summary.
pub(super) type FailureFields = (String, Option<u64>, bool, String);

/// Converts a failure that Python describes.
pub(super) fn failure((message, error_id, infrastructure, summary): FailureFields) -> Failure {
    let failure = Failure::new(message, error_id, infrastructure);
    if summary.is_empty() {
        return failure;
    }
    failure.with_summary(summary)
}

/// The exception of `test_driver.errors` for `error`.
pub(super) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let message = error.to_string();
    build(py, error, &message).unwrap_or_else(|_| PyRuntimeError::new_err(message))
}

fn build(py: Python<'_>, error: &Error, message: &str) -> PyResult<PyErr> {
    let errors = py.import("test_driver.errors")?;
    let value = errors.getattr(class(error))?.call1((message,))?;
    value.setattr("_vmwright_error_id", error.id())?;
    value.setattr("infrastructure", error.is_infrastructure())?;
    Ok(PyErr::from_value(value))
}

fn class(error: &Error) -> &'static str {
    match error.kind() {
        _ if error.is_timeout() => "TimedOut",
        ErrorKind::CommandFailed { exit, .. } if exit.is_timeout() => "CommandTimedOut",
        ErrorKind::NotRunning { .. } => "NotRunning",
        // An assertion of the script does not hold.
        ErrorKind::CommandFailed { .. }
        | ErrorKind::CommandSucceeded { .. }
        | ErrorKind::Condition { .. }
        | ErrorKind::Systemctl { .. }
        | ErrorKind::UnitState { .. } => "RequestedAssertionFailed",
        _ => "MachineError",
    }
}
