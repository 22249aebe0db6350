//! QEMU's monitors.

use machine::ErrorKind;
use machine::qmp_mon::{self, Event};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use super::Machine;
use crate::python::callback::Raised;
use crate::python::duration::TimeLimit;

#[pymethods]
impl Machine {
    /// A reply that reports an error is returned, as by the reference driver.
    fn send_monitor_command(&self, py: Python<'_>, command: &str) -> PyResult<String> {
        self.wait_for_qemu(py, async |vm| {
            let replied = vm.send_monitor_command(command).await;
            replied.or_else(|error| match error.kind() {
                ErrorKind::MonitorCommandFailed { reply, .. } => {
                    tracing::warn!(machine = vm.name(), "{error}");
                    Ok(reply.clone())
                }
                _ => Err(error),
            })
        })
    }

    /// Executes a QMP command with arguments in JSON; returns QEMU's reply as JSON.
    fn qmp(&self, py: Python<'_>, command: &str, arguments: &str) -> PyResult<String> {
        let arguments: Value = serde_json::from_str(arguments)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let reply = self.wait_for_qemu(py, async |vm| {
            let replied = vm.qmp(command, arguments).await;
            let replied = replied.map(|result| json!({ "return": result }));
            replied.or_else(|error| match error.kind() {
                ErrorKind::Monitor {
                    source: qmp_mon::Error::Qmp { class, desc, .. },
                    ..
                } => Ok(json!({ "error": { "class": class.to_string(), "desc": desc } })),
                _ => Err(error),
            })
        })?;
        Ok(reply.to_string())
    }

    /// The events that have come, and were not returned yet.
    fn take_qmp_events(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let events = self.wait_for_qemu(py, async |vm| vm.take_qmp_events())?;
        events.iter().map(|event| as_python(py, event)).collect()
    }

    fn wait_for_qmp_event(
        &self,
        py: Python<'_>,
        wanted: &Bound<'_, PyAny>,
        timeout: TimeLimit,
    ) -> PyResult<Py<PyAny>> {
        let (wanted, raised) = (&wanted.clone().unbind(), &Raised::default());
        let event = self.wait_for_qemu(py, async |vm| {
            let matches = |event: &Event| {
                let result = raised.call(|py| {
                    let result = wanted.call1(py, (as_python(py, event)?,))?;
                    result.is_truthy(py)
                });
                // An exception ends the wait.
                result.unwrap_or(true)
            };
            vm.within(timeout.0).wait_for_qmp_event(matches).await
        });
        if let Some(error) = raised.take() {
            return Err(error);
        }
        as_python(py, &event?)
    }
}

/// An event as the object that QEMU sends.
fn as_python(py: Python<'_>, event: &Event) -> PyResult<Py<PyAny>> {
    let mut object = json!({ "event": event.name });
    if !event.data.is_null() {
        object["data"] = event.data.clone();
    }
    if let Some(time) = event.timestamp {
        object["timestamp"] =
            json!({ "seconds": time.as_secs(), "microseconds": time.subsec_micros() });
    }
    let loads = py.import("json")?.getattr("loads")?;
    Ok(loads.call1((object.to_string(),))?.unbind())
}
