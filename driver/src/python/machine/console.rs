//! The serial console.

use pyo3::prelude::*;

use super::Machine;
use crate::python::search::Search;
use crate::python::time_limit::TimeLimit;

#[pymethods]
impl Machine {
    fn wait_for_console_text(
        &self,
        py: Python<'_>,
        wanted: &str,
        search: Py<PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let search = &Search::new(search);
        search.outcome(self.wait(py, async |vm| {
            // Whoever waits for a line may be the first to need the machine.
            if !vm.is_booted() {
                vm.start().await?;
            }
            vm.within(timeout.0)
                .wait_for_console_text_with(wanted, |text| search.find(text))
                .await
        }))
    }

    fn get_console_log(&self, py: Python<'_>) -> PyResult<String> {
        self.wait(py, async |vm| vm.get_console_log().await)
    }

    fn send_console(&self, py: Python<'_>, chars: &str) -> PyResult<()> {
        self.wait(py, async |vm| vm.send_console(chars).await)
    }

    fn console_interact(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.console_interact().await)
    }
}
