//! Lengths of time in the arguments of scripts.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta};

/// Multiplies a time limit in seconds by `VM_TIMEOUT_SCALE`.
#[pyfunction]
pub(super) fn scaled(seconds: f64) -> f64 {
    let limit = Duration::try_from_secs_f64(seconds);
    limit.map_or(seconds, |limit| machine::scaled(limit).as_secs_f64())
}

/// A length of time. In Python, it is a `timedelta` or a number of seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'a, 'py> FromPyObject<'a, 'py> for Span {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let seconds = seconds(value)?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(PyValueError::new_err(format!(
                "invalid duration: {seconds} seconds"
            )));
        }
        // A number that a `Duration` can't represent is longer than any test.
        Ok(Self(
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        ))
    }
}

fn seconds(value: Borrowed<'_, '_, PyAny>) -> PyResult<f64> {
    if value.is_instance_of::<PyDelta>() {
        return value.call_method0("total_seconds")?.extract();
    }
    // A bool is a number in Python, but here it is a mistake.
    let number = value.extract::<f64>().ok();
    number
        .filter(|_| !value.is_instance_of::<PyBool>())
        .ok_or_else(|| not_a_duration(value))
}

fn not_a_duration(value: Borrowed<'_, '_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map(|name| name.to_string());
    let kind = kind.unwrap_or_default();
    PyTypeError::new_err(format!(
        "expected a timedelta or a number of seconds, not {value:?} ({kind})"
    ))
}

/// A time limit: a length of time, or None for no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit(pub(super) Duration);

impl TimeLimit {
    /// No limit.
    pub(super) const ENDLESS: Self = Self(Duration::MAX);
}

impl<'a, 'py> FromPyObject<'a, 'py> for TimeLimit {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let limit = value.extract::<Option<Span>>()?;
        Ok(limit.map_or(Self::ENDLESS, |Span(limit)| Self(limit)))
    }
}
