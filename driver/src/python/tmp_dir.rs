//! The temporary directory of a run.

use std::path::PathBuf;

use pyo3::prelude::*;

/// A temporary directory, which is removed when this process ends, even by SIGKILL.
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
