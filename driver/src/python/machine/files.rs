//! Copying of files, and waits for them.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::Machine;
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    fn copy_from_host(&self, py: Python<'_>, source: PathBuf, target: &str) -> PyResult<()> {
        self.wait(py, async move |vm| vm.copy_from_host(source, target).await)
    }

    fn copy_from_host_via_shell(
        &self,
        py: Python<'_>,
        source: PathBuf,
        target: &str,
    ) -> PyResult<()> {
        self.wait(py, async move |vm| {
            vm.copy_from_host_via_shell(source, target).await
        })
    }

    fn copy_from_machine(&self, py: Python<'_>, source: &str, target_dir: PathBuf) -> PyResult<()> {
        self.wait(py, async move |vm| {
            vm.copy_from_machine(source, target_dir).await.map(drop)
        })
    }

    fn wait_for_file(&self, py: Python<'_>, word: &str, timeout: TimeLimit) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0).wait_for_file_word(word).await
        })
    }
}
