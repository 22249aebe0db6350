//! The text on pictures in files.

use std::fmt::Display;
use std::path::PathBuf;

use machine::ocr::{Image, Reader, Screen};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// Interpretations of the text on a picture of a screen, the best one first.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 passes values")]
pub(super) fn read_picture(py: Python<'_>, path: PathBuf) -> PyResult<Vec<String>> {
    let error =
        |error: &dyn Display| PyOSError::new_err(format!("reading {}: {error}", path.display()));
    py.detach(|| {
        let image = Image::open(&path).map_err(|failure| error(&failure))?;
        let screen = Screen::new(image, None, &Reader::new());
        let texts = screen.interpretations().into_texts();
        texts.map_err(|failure| error(&failure))
    })
}
