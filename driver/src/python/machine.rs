//! The class `Machine` of the module `_vmwright`, to which the class `Machine` of scripts
//! delegates.

mod console;
mod files;
mod keyboard;
mod lifecycle;
mod monitor;
mod network;
mod screen;
mod shell;
mod start;
mod trouble;
mod units;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use machine::PollingCondition;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::callback::Raised;
use super::errors::exception;
use super::waiting::{runtime, wait};

/// A virtual machine.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Machine {
    name: String,
    /// None once its state directory was removed.
    parts: Mutex<Option<Parts>>,
    /// Returns the start command, which a script may have changed.
    start_command: Py<PyAny>,
    /// Returns whether there are callbacks.
    has_callbacks: Py<PyAny>,
    /// Its last answer, so that the many checks within a wait need not attach to Python.
    calls_back: Arc<AtomicBool>,
    /// The exception of a callback, which ends the operation.
    raised: Raised,
}

struct Parts {
    vm: machine::Machine,
    /// Calls Python before each command.
    _callbacks: PollingCondition,
}

#[pymethods]
impl Machine {
    /// If `has_callbacks` returns true, `run_callbacks` is called before each command, key
    /// press and reading of the screen, also within waits.
    #[new]
    #[expect(
        clippy::too_many_arguments,
        reason = "called from one place, with all settings of a machine"
    )]
    fn new(
        py: Python<'_>,
        start_command: Py<PyAny>,
        name: &str,
        out_dir: PathBuf,
        tmp_dir: PathBuf,
        keep_vm_state: bool,
        templates: Option<PathBuf>,
        has_callbacks: Py<PyAny>,
        run_callbacks: Py<PyAny>,
    ) -> PyResult<Self> {
        let _in_runtime = runtime().enter();
        let mut vm = machine::Machine::builder(start::command(py, &start_command)?)
            .name(name)
            .out_dir(out_dir)
            .tmp_dir(tmp_dir)
            .keep_vm_state(keep_vm_state);
        if let Some(cache_dir) = templates {
            vm = vm.templates(cache_dir);
        }
        let vm = vm.build().map_err(|error| exception(py, &error))?;
        let calls_back = Arc::new(AtomicBool::new(false));
        let raised = Raised::default();
        let callbacks = call_back(&vm, &calls_back, &raised, run_callbacks);
        Ok(Self {
            name: name.to_owned(),
            parts: Mutex::new(Some(Parts {
                vm,
                _callbacks: callbacks,
            })),
            start_command,
            has_callbacks,
            calls_back,
            raised,
        })
    }

    /// Calls `has_callbacks` again, also on behalf of operations that already run in other
    /// threads.
    fn update_callbacks(&self, py: Python<'_>) -> PyResult<()> {
        let calls_back = self.has_callbacks.call0(py)?.is_truthy(py)?;
        self.calls_back.store(calls_back, Ordering::Relaxed);
        Ok(())
    }

    /// Kills QEMU and removes the state directory.
    fn cleanup_statedir(&self, py: Python<'_>) {
        let parts = lock(&self.parts).take();
        py.detach(|| {
            if let Some(parts) = parts {
                parts.vm.release();
                drop(parts);
            }
        });
    }
}

impl Machine {
    fn vm(&self) -> PyResult<machine::Machine> {
        let parts = lock(&self.parts);
        let vm = parts.as_ref().map(|parts| parts.vm.clone());
        vm.ok_or_else(|| {
            PyRuntimeError::new_err(format!("{}: its state directory was removed", self.name))
        })
    }

    /// Waits for an operation of the machine.
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        operation: impl AsyncFnOnce(&machine::Machine) -> machine::Result<T> + Send,
    ) -> PyResult<T> {
        let vm = self.vm()?;
        self.update_callbacks(py)?;
        if vm.pid().is_none() {
            vm.set_start_command(start::command(py, &self.start_command)?);
        }
        let result = wait(py, async move || operation(&vm).await);
        match self.raised.take() {
            Some(raised) if result.is_err() => Err(raised),
            _ => result,
        }
    }
}

/// Calls `run_callbacks` before each command of `vm` while `calls_back` is set.
fn call_back(
    vm: &machine::Machine,
    calls_back: &Arc<AtomicBool>,
    raised: &Raised,
    run_callbacks: Py<PyAny>,
) -> PollingCondition {
    let (calls_back, raised) = (Arc::clone(calls_back), raised.clone());
    let check = move || {
        !calls_back.load(Ordering::Relaxed) || raised.call(|py| run_callbacks.call0(py)).is_some()
    };
    let check = Arc::new(check);
    vm.polling_condition("of the script", Duration::ZERO, move |_| {
        let check = Arc::clone(&check);
        async move { Ok(check()) }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
