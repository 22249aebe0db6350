//! Waits for text with Python's regular expressions.

use std::ops::Range;
use std::sync::Arc;

use pyo3::prelude::*;

use super::callback::Raised;

/// A Python function that returns the span of a match in a text.
#[derive(Clone)]
pub(super) struct Search {
    function: Arc<Py<PyAny>>,
    raised: Raised,
}

impl Search {
    pub(super) fn new(function: Py<PyAny>) -> Self {
        Self {
            function: Arc::new(function),
            raised: Raised::default(),
        }
    }

    /// The range of bytes of the match. An exception counts as a match, to end the wait.
    pub(super) fn find(&self, text: &str) -> Option<Range<usize>> {
        let found = self.raised.call(|py| {
            let found = self.function.call1(py, (text,))?;
            found.extract::<Option<(usize, usize)>>(py)
        });
        let (start, end) = found.unwrap_or(Some((0, 0)))?;
        Some(byte_offset(text, start)..byte_offset(text, end))
    }

    /// Whether there is a match.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// The outcome of the wait: the exception, if the function raised one.
    pub(super) fn outcome<T>(&self, waited: PyResult<T>) -> PyResult<()> {
        self.raised.take().map_or(waited.map(drop), Err)
    }
}

/// Converts an offset in characters, as Python counts, to one in bytes.
fn byte_offset(text: &str, characters: usize) -> usize {
    let mut starts = text.char_indices().map(|(at, _)| at);
    starts.nth(characters).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::byte_offset;

    #[test]
    fn offsets_in_characters_are_converted_to_bytes() {
        let offsets = [0, 1, 2, 3].map(|at| byte_offset("éa€", at));
        assert_eq!(offsets, [0, 2, 3, 6]);
    }
}
