//! The keyboard and virtual terminals.

use std::time::Duration;

use pyo3::prelude::*;

use super::Machine;
use crate::python::search::Search;
use crate::python::time_limit::TimeLimit;

#[pymethods]
impl Machine {
    fn send_key(&self, py: Python<'_>, key: &str, delay: Option<f64>, log: bool) -> PyResult<()> {
        self.wait(py, async |vm| {
            let vm = vm.key_delay(pause(delay));
            if log {
                vm.send_key(key).await
            } else {
                vm.send_key_silently(key).await
            }
        })
    }

    fn send_chars(&self, py: Python<'_>, chars: &str, delay: Option<f64>) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.key_delay(pause(delay)).send_chars(chars).await
        })
    }

    fn get_tty_text(&self, py: Python<'_>, tty: &str) -> PyResult<String> {
        self.wait(py, async |vm| vm.get_tty_text(tty).await)
    }

    fn wait_until_tty_matches(
        &self,
        py: Python<'_>,
        tty: &str,
        wanted: &str,
        search: Py<PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let search = &Search::new(search);
        search.outcome(self.wait(py, async |vm| {
            vm.within(timeout.0)
                .wait_until_tty_matches_with(tty, wanted, |text| search.matches(text))
                .await
        }))
    }

    fn dump_tty_contents(&self, py: Python<'_>, tty: &str) -> PyResult<()> {
        self.wait(py, async |vm| vm.dump_tty_contents(tty).await)
    }
}

fn pause(seconds: Option<f64>) -> Duration {
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}
