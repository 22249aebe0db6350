//! Units of systemd.

use std::collections::BTreeMap;

use machine::Unit;
use pyo3::prelude::*;

use super::Machine;
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    fn wait_for_unit(
        &self,
        py: Python<'_>,
        unit: &str,
        user: Option<&str>,
        timeout: TimeLimit,
    ) -> PyResult<()> {
        let unit = of(unit, user);
        self.wait(py, async move |vm| {
            vm.within(timeout.0).wait_for_unit(unit).await
        })
    }

    fn wait_for_cloud_init(&self, py: Python<'_>, timeout: TimeLimit) -> PyResult<()> {
        self.wait(py, async move |vm| {
            vm.within(timeout.0).wait_for_cloud_init().await
        })
    }

    fn get_unit_info(
        &self,
        py: Python<'_>,
        unit: &str,
        user: Option<&str>,
    ) -> PyResult<BTreeMap<String, String>> {
        let unit = of(unit, user);
        self.wait(py, async move |vm| vm.get_unit_info(unit).await)
    }

    fn get_unit_property(
        &self,
        py: Python<'_>,
        unit: &str,
        property: &str,
        user: Option<&str>,
    ) -> PyResult<String> {
        let unit = of(unit, user);
        self.wait(py, async move |vm| {
            vm.get_unit_property(unit, property).await
        })
    }

    /// Exit status, output, and whether it has timed out.
    fn systemctl(
        &self,
        py: Python<'_>,
        query: &str,
        user: Option<&str>,
    ) -> PyResult<(i32, String, bool)> {
        self.wait(py, async |vm| vm.systemctl(query, user).await)
            .map(|output| (output.status(), output.text(), output.exit.is_timeout()))
    }

    fn require_unit_state(&self, py: Python<'_>, unit: &str, state: &str) -> PyResult<()> {
        self.wait(py, async |vm| vm.require_unit_state(unit, state).await)
    }
}

fn of(unit: &str, user: Option<&str>) -> Unit {
    match user {
        Some(user) => Unit::of_user(user, unit),
        None => unit.into(),
    }
}
