//! The keyboard and virtual terminals.

use std::time::Duration;

use pyo3::prelude::*;

use super::Machine;
use crate::python::duration::{Span, TimeLimit};
use crate::python::search::Search;

#[pymethods]
impl Machine {
    fn send_key(&self, py: Python<'_>, key: &str, delay: Option<Span>, log: bool) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| {
            let vm = vm.with_key_delay(delay.map_or(Duration::ZERO, |Span(delay)| delay));
            if log {
                vm.send_key(key).await
            } else {
                vm.send_key_silently(key).await
            }
        })
    }

    fn send_chars(&self, py: Python<'_>, chars: &str, delay: Option<Span>) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| {
            vm.with_key_delay(delay.map_or(Duration::ZERO, |Span(delay)| delay))
                .send_chars(chars)
                .await
        })
    }

    fn get_tty_text(&self, py: Python<'_>, tty: &str) -> PyResult<String> {
        self.wait_for_qemu(py, async |vm| vm.get_tty_text(tty).await)
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
        search.outcome(self.wait_for_qemu(py, async |vm| {
            vm.within(timeout.0)
                .wait_until_tty_matches_with(tty, wanted, |text| search.matches(text))
                .await
        }))
    }

    fn dump_tty_contents(&self, py: Python<'_>, tty: &str) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| vm.dump_tty_contents(tty).await)
    }
}
