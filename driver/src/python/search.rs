//! Python's regular expressions, in waits.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use super::waiting::call;

/// A function of Python's that says where in a text something is.
#[derive(Clone)]
pub(super) struct Search {
    function: Arc<Py<PyAny>>,
    /// What it raised, which ends the wait.
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Search {
    pub(super) fn new(function: Py<PyAny>) -> Self {
        Self {
            function: Arc::new(function),
            raised: Arc::default(),
        }
    }

    /// The range of bytes where it is.
    pub(super) fn find(&self, text: &str) -> Option<Range<usize>> {
        let found = call(|py| {
            let found = self.function.call1(py, (text,))?;
            found.extract::<Option<(usize, usize)>>(py)
        });
        match found {
            Ok(span) => span.map(|(start, end)| bytes(text, start)..bytes(text, end)),
            Err(error) => {
                *self.slot() = Some(error);
                Some(0..0)
            }
        }
    }

    /// Whether it is there.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// The outcome of the wait, unless the function raised.
    pub(super) fn outcome<T>(&self, waited: PyResult<T>) -> PyResult<()> {
        match self.slot().take() {
            Some(error) => Err(error),
            None => waited.map(drop),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Python counts characters.
fn bytes(text: &str, characters: usize) -> usize {
    let mut starts = text.char_indices().map(|(at, _)| at);
    starts.nth(characters).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!([0, 1, 2, 3].map(|at| bytes("éa€", at)), [0, 2, 3, 6]);
    }
}
