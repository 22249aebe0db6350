//! Signs of trouble on the console.

use machine::{Meaning, Trouble};
use pyo3::prelude::*;

use super::Machine;

#[pymethods]
impl Machine {
    /// Name, first line and count of each kind on the console.
    fn trouble(&self) -> PyResult<Vec<(String, String, u32)>> {
        let fields = |trouble: Trouble| (trouble.name, trouble.line, trouble.count);
        Ok(self.node()?.trouble().into_iter().map(fields).collect())
    }

    fn allow_trouble(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.wait(py, async |vm| vm.allow_trouble(name))
    }

    fn watch_console(&self, py: Python<'_>, name: &str, pattern: &str, ends: bool) -> PyResult<()> {
        let meaning = if ends { Meaning::Ends } else { Meaning::Noted };
        self.wait(py, async move |vm| vm.watch_console(name, pattern, meaning))
    }
}
