//! The serial console.

use machine::ErrorKind;
use pyo3::prelude::*;

use super::{Machine, Node};
use crate::python::duration::TimeLimit;
use crate::python::search::Search;

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
            start_if_new(vm).await?;
            vm.within(timeout.0)
                .wait_for_console_text_with(wanted, |text| search.find(text))
                .await
        }))
    }

    fn console_screen(&self, py: Python<'_>) -> PyResult<String> {
        self.wait(py, async |vm| vm.console_screen())
    }

    fn wait_for_console_screen(
        &self,
        py: Python<'_>,
        wanted: &str,
        search: Py<PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let search = &Search::new(search);
        search.outcome(self.wait(py, async |vm| {
            start_if_new(vm).await?;
            vm.within(timeout.0)
                .wait_for_console_screen_with(wanted, |text| search.find(text))
                .await
        }))
    }

    /// The complete lines since the last match. If there is none and `wait` is set, waits
    /// for one.
    fn console_lines(&self, py: Python<'_>, wait: bool, timeout: TimeLimit) -> PyResult<String> {
        let complete_lines = |text: &str| match text.rfind('\n') {
            Some(end) => Some(0..end + 1),
            None => (!wait).then_some(0..0),
        };
        self.wait(py, async move |vm| {
            let vm = vm.within(timeout.0);
            let lines = vm.wait_for_console_text_with("a line", complete_lines);
            match lines.await {
                Err(error) if has_no_lines(error.kind()) => Ok(String::new()),
                lines => lines,
            }
        })
    }

    fn get_console_log(&self, py: Python<'_>) -> PyResult<String> {
        self.wait(py, async |vm| match vm.get_console_log().await {
            // It was never started.
            Err(error) if matches!(error.kind(), ErrorKind::NotRunning { .. }) => Ok(String::new()),
            log => log,
        })
    }

    fn send_console(&self, py: Python<'_>, chars: &str) -> PyResult<()> {
        self.wait(py, async |vm| vm.send_console(chars).await)
    }

    fn console_interact(&self, py: Python<'_>) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| vm.console_interact().await)
    }
}

/// Starts the machine if it was never started. The console of one that has ended shows no more
/// lines.
async fn start_if_new(vm: &Node) -> machine::Result<()> {
    if vm.pid().is_none() && vm.exit_status().is_none() {
        vm.start().await?;
    }
    Ok(())
}

/// Whether a wait for a line failed because the machine is off or the time limit expired.
fn has_no_lines(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotRunning { .. } | ErrorKind::Exited { .. } | ErrorKind::Console(_)
    )
}
