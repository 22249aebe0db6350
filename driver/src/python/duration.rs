//! Time limits in the arguments of scripts.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Multiplies a time limit in seconds by `VM_TIMEOUT_SCALE`.
#[pyfunction]
pub(super) fn scaled(seconds: f64) -> f64 {
    let limit = Duration::try_from_secs_f64(seconds);
    limit.map_or(seconds, |limit| machine::scaled(limit).as_secs_f64())
}

/// A time limit. In Python, it is a number of seconds, or None for no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit(pub(super) Duration);

impl TimeLimit {
    /// No limit.
    pub(super) const ENDLESS: Self = Self(Duration::MAX);
}

impl<'a, 'py> FromPyObject<'a, 'py> for TimeLimit {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            return Ok(Self::ENDLESS);
        }
        let seconds: f64 = value.extract()?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(PyValueError::new_err(format!(
                "invalid time limit: {seconds} seconds"
            )));
        }
        // A number that a `Duration` can't represent is no limit either.
        Ok(Self(
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        ))
    }
}
