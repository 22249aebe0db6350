//! Commands in the guest.

use std::io;

use machine::{Command, TerminalKind};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::Machine;
use crate::python::address::Address;
use crate::python::duration::{Span, TimeLimit};

#[pymethods]
impl Machine {
    /// Exit status, output, and whether it has timed out.
    fn execute(
        &self,
        py: Python<'_>,
        command: String,
        timeout: TimeLimit,
    ) -> PyResult<(i32, String, bool)> {
        let command = timeout.of(command);
        let output = self.wait(py, async move |vm| vm.execute(command).await)?;
        let timed_out = output.exit.is_timeout();
        Ok((output.status(), output.text(), timed_out))
    }

    fn succeed(&self, py: Python<'_>, command: String, timeout: TimeLimit) -> PyResult<String> {
        let command = timeout.of(command);
        self.wait(py, async move |vm| vm.succeed(command).await)
    }

    fn fail(&self, py: Python<'_>, command: String, timeout: TimeLimit) -> PyResult<String> {
        let command = timeout.of(command);
        self.wait(py, async move |vm| vm.fail(command).await)
    }

    fn wait_until_succeeds(
        &self,
        py: Python<'_>,
        command: String,
        timeout: TimeLimit,
    ) -> PyResult<String> {
        self.wait(py, async move |vm| {
            vm.within(timeout.0).wait_until_succeeds(command).await
        })
    }

    fn wait_until_fails(
        &self,
        py: Python<'_>,
        command: String,
        timeout: TimeLimit,
    ) -> PyResult<String> {
        self.wait(py, async move |vm| {
            vm.within(timeout.0).wait_until_fails(command).await
        })
    }

    fn sleep(&self, py: Python<'_>, duration: Span) -> PyResult<()> {
        self.wait(py, async move |vm| vm.sleep(duration.0).await)
    }

    fn shell_interact(&self, py: Python<'_>, address: Option<&str>) -> PyResult<()> {
        let address = address.map_or(Ok(Address::Terminal), str::parse)?;
        let session = self.wait_for_qemu(py, async move |vm| shell_at(vm, &address).await)?;
        session.map_err(|error| PyOSError::new_err(format!("shell_interact: {error}")))
    }
}

/// Connects a shell to a user. The inner error is that of connecting to `address`.
async fn shell_at(vm: &machine::Machine, address: &Address) -> machine::Result<io::Result<()>> {
    vm.connect().await?;
    match address.connect().await {
        Ok(None) => vm.shell_interact().await.map(Ok),
        Ok(Some((input, output))) => {
            let kind = TerminalKind::default();
            vm.shell_interact_on(&kind, input, output).await.map(Ok)
        }
        Err(error) => Ok(Err(error)),
    }
}

impl TimeLimit {
    /// A command with this time limit. As for timeout(1), 0 is no limit.
    fn of(self, command: String) -> Command {
        if self.0.is_zero() || self.0 == Self::ENDLESS.0 {
            Command::new(command).no_timeout()
        } else {
            Command::new(command).timeout(self.0)
        }
    }
}
