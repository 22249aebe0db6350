//! The screen.

use std::time::Duration;

use pyo3::prelude::*;
use tokio::time::timeout;

use super::{Machine, Node};
use crate::python::duration::TimeLimit;
use crate::python::search::Search;
use crate::python::waiting::runtime;

/// Time limit for the screenshot after a failure.
const LAST_SCREENSHOT_LIMIT: Duration = Duration::from_secs(10);

#[pymethods]
impl Machine {
    fn screenshot(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| vm.screenshot(name).await.map(drop))
    }

    /// Takes a screenshot for the report of a failure, if the machine runs. Errors are
    /// ignored: the failure itself is what matters.
    fn take_last_screenshot(&self, py: Python<'_>) {
        let Ok(Node::Machine(vm)) = self.node() else {
            return;
        };
        let picture = format!("{}-at-failure", vm.name());
        py.detach(|| {
            if vm.pid().is_some() {
                let taken = async { timeout(LAST_SCREENSHOT_LIMIT, vm.screenshot(&picture)).await };
                let _ = runtime().block_on(taken);
            }
        });
    }

    fn get_screen_text(&self, py: Python<'_>) -> PyResult<String> {
        self.wait_for_qemu(py, async |vm| vm.get_screen_text().await)
    }

    fn get_screen_text_variants(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.wait_for_qemu(py, async |vm| vm.get_screen_text_variants().await)
    }

    fn wait_for_text(
        &self,
        py: Python<'_>,
        wanted: &str,
        search: Py<PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let search = &Search::new(search);
        search.outcome(self.wait_for_qemu(py, async |vm| {
            let matches = search.clone();
            vm.within(timeout.0)
                .wait_for_text_with(wanted, move |text| matches.matches(text))
                .await
        }))
    }

    fn wait_for_x(&self, py: Python<'_>, timeout: TimeLimit) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| vm.within(timeout.0).wait_for_x().await)
    }

    fn get_window_names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.wait_for_qemu(py, async |vm| vm.get_window_names().await)
    }

    fn wait_for_window(
        &self,
        py: Python<'_>,
        wanted: &str,
        search: Py<PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let search = &Search::new(search);
        search.outcome(self.wait_for_qemu(py, async |vm| {
            vm.within(timeout.0)
                .wait_for_window_with(wanted, |name| search.matches(name))
                .await
        }))
    }
}
