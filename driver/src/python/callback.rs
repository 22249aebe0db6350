//! Calls of Python functions within operations of machines.

use std::sync::Arc;

use pyo3::prelude::*;

use super::waiting::call;
use crate::sync::Mutex;

/// The exception that a callback raised.
///
/// Operations of `machine` can't carry it in their errors, so each has one of these, in which
/// it is kept until the operation has ended.
#[derive(Clone, Default)]
pub(super) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// Calls Python; returns None if it raised an exception.
    pub(super) fn call<T>(&self, f: impl FnOnce(Python<'_>) -> PyResult<T>) -> Option<T> {
        call(f).map_err(|error| self.set(error)).ok()
    }

    /// Keeps an exception.
    pub(super) fn set(&self, exception: PyErr) {
        *self.slot() = Some(exception);
    }

    /// Takes the exception, if any.
    pub(super) fn take(&self) -> Option<PyErr> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<PyErr>> {
        self.0.lock()
    }
}
