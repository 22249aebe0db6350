//! Networks of machines.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::waiting::wait;

/// A network between machines.
#[pyclass(module = "_vmwright")]
pub(super) struct Vlan {
    switch: Option<machine::Vlan>,
    #[pyo3(get)]
    socket_dir: PathBuf,
    #[pyo3(get)]
    pid: u32,
}

impl Vlan {
    /// The network, unless it was stopped.
    pub(super) fn switch(&self) -> Option<&machine::Vlan> {
        self.switch.as_ref()
    }
}

#[pymethods]
impl Vlan {
    #[new]
    fn new(py: Python<'_>, number: u32, dir: PathBuf) -> PyResult<Self> {
        let vlan = wait(py, async move || machine::Vlan::start(number, &dir).await)?;
        Ok(Self {
            socket_dir: vlan.socket_dir().to_owned(),
            pid: vlan.pid(),
            switch: Some(vlan),
        })
    }

    fn stop(&mut self) {
        self.switch = None;
    }
}
