//! The directory of a run.

use std::path::PathBuf;

use pyo3::prelude::*;

/// Goes with this process, however it ends.
#[pyclass(module = "_vmwright")]
pub(super) struct TmpDir {
    dir: Option<machine::TmpDir>,
    #[pyo3(get)]
    path: PathBuf,
}

#[pymethods]
impl TmpDir {
    #[new]
    fn new() -> PyResult<Self> {
        let dir = machine::TmpDir::new()?;
        Ok(Self {
            path: dir.path().to_owned(),
            dir: Some(dir),
        })
    }

    fn cleanup(&mut self) {
        self.dir = None;
    }
}
