//! The network.

use pyo3::prelude::*;

use super::Machine;
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    fn wait_for_open_port(
        &self,
        py: Python<'_>,
        port: u16,
        host: &str,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0).wait_for_open_port_at(host, port).await
        })
    }

    fn wait_for_closed_port(
        &self,
        py: Python<'_>,
        port: u16,
        host: &str,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0)
                .wait_for_closed_port_at(host, port)
                .await
        })
    }

    fn wait_for_open_unix_socket(
        &self,
        py: Python<'_>,
        path: &str,
        is_datagram: bool,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0)
                .wait_for_open_unix_socket(path, is_datagram)
                .await
        })
    }

    fn forward_port(&self, py: Python<'_>, host_port: u16, guest_port: u16) -> PyResult<()> {
        self.wait(py, async move |vm| {
            vm.forward_port(host_port, guest_port).await
        })
    }

    fn block(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.block().await)
    }

    fn unblock(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.unblock().await)
    }
}
