//! Time-outs, as scripts give them.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What a limit of so many seconds is on this host.
#[pyfunction]
pub(super) fn scaled(seconds: f64) -> f64 {
    let limit = Duration::try_from_secs_f64(seconds);
    limit.map_or(seconds, |limit| machine::scaled(limit).as_secs_f64())
}

/// Seconds; None is endless.
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
            return Err(PyValueError::new_err(format!("{seconds} is no time")));
        }
        // What is more than that is endless, too.
        Ok(Self(
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        ))
    }
}
