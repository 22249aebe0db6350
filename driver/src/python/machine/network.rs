//! The network.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::Machine;
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    fn wait_for_open_port(
        &self,
        py: Python<'_>,
        port: TcpPort,
        host: &str,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0)
                .wait_for_open_port_at(host, port.0)
                .await
        })
    }

    fn wait_for_closed_port(
        &self,
        py: Python<'_>,
        port: TcpPort,
        host: &str,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        self.wait(py, async |vm| {
            vm.within(timeout.0)
                .wait_for_closed_port_at(host, port.0)
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

    fn forward_port(
        &self,
        py: Python<'_>,
        host_port: TcpPort,
        guest_port: TcpPort,
    ) -> PyResult<()> {
        self.wait_for_qemu(py, async move |vm| {
            vm.forward_port(host_port.0, guest_port.0).await
        })
    }

    fn block(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.block().await)
    }

    fn unblock(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.unblock().await)
    }
}

/// The number of a TCP port; `machine` refuses 0.
#[derive(Clone, Copy)]
struct TcpPort(u16);

impl<'a, 'py> FromPyObject<'a, 'py> for TcpPort {
    type Error = PyErr;

    fn extract(number: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(port) = number.extract() {
            return Ok(Self(port));
        }
        let number = number.str()?;
        let reason = format!("{number} is not a TCP port: ports are 1 to 65535");
        Err(PyValueError::new_err(reason))
    }
}
