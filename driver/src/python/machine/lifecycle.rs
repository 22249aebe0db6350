//! Starting and stopping.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use pyo3::prelude::*;

use super::{Machine, Node};
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.node().ok()?.pid()
    }

    #[getter]
    fn booted(&self) -> bool {
        self.node().is_ok_and(|vm| vm.is_booted())
    }

    #[getter]
    fn connected(&self) -> bool {
        self.node().is_ok_and(|vm| vm.is_up())
    }

    #[getter]
    fn state_dir(&self) -> PyResult<PathBuf> {
        Ok(self.node()?.state_dir().to_owned())
    }

    fn set_start_dir(&self, dir: PathBuf) -> PyResult<()> {
        if let Node::Machine(vm) = self.node()? {
            vm.set_start_dir(dir);
        }
        Ok(())
    }

    #[getter]
    fn shared_dir(&self) -> PyResult<PathBuf> {
        Ok(self.node()?.shared_dir().to_owned())
    }

    /// As `subprocess.Popen.returncode`: None while QEMU runs, or after its release.
    #[getter]
    fn exit_status(&self) -> Option<i32> {
        self.node().ok()?.exit_status().map(return_code)
    }

    fn start(&self, py: Python<'_>, allow_reboot: bool) -> PyResult<()> {
        self.wait(py, async move |node| match node {
            Node::Machine(vm) if allow_reboot => vm.start_allowing_reboot().await,
            node => node.start().await,
        })
    }

    fn connect(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.connect().await)
    }

    fn disconnect(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.disconnect().await)
    }

    fn shutdown(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.shutdown().await)
    }

    fn crash(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.crash().await)
    }

    fn reboot(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, async |vm| vm.reboot().await)
    }

    fn switch_root(&self, py: Python<'_>) -> PyResult<()> {
        self.wait_for_qemu(py, async |vm| vm.switch_root().await)
    }

    /// QEMU's exit status as `subprocess.Popen.returncode`; None if it did not run.
    #[pyo3(signature = (timeout=None))]
    fn wait_for_shutdown(
        &self,
        py: Python<'_>,
        timeout: Option<TimeLimit>,
    ) -> PyResult<Option<i32>> {
        let limit = timeout.unwrap_or(TimeLimit::ENDLESS).0;
        let status = self.wait(py, async move |vm| {
            vm.within(limit).wait_for_shutdown().await
        })?;
        Ok(status.map(return_code))
    }

    fn release(&self, py: Python<'_>) {
        if let Ok(vm) = self.node() {
            py.detach(|| vm.release());
        }
    }
}

fn return_code(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|signal| -signal);
    status.code().or(signal).unwrap_or(-1)
}
