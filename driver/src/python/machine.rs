//! The class `Machine` of the module `_vmwright`, on which that of scripts is built.

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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use machine::PollingCondition;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::errors::exception;
use super::waiting::{call, runtime, wait};

/// A virtual machine.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Machine {
    name: String,
    /// Nothing, once its state directory is gone.
    parts: Mutex<Option<Parts>>,
    /// Gives the start command, which a script may have changed.
    start_command: Py<PyAny>,
    /// What a callback raised, which ends the operation that it was called before.
    raised: Arc<Mutex<Option<PyErr>>>,
}

struct Parts {
    vm: machine::Machine,
    /// Has Python called before each command.
    _callbacks: PollingCondition,
}

#[pymethods]
impl Machine {
    /// `callbacks` is called before each command, key and look at the screen, those of
    /// waits included.
    #[new]
    #[expect(
        clippy::too_many_arguments,
        reason = "all that there is to say of a machine"
    )]
    fn new(
        py: Python<'_>,
        start_command: Py<PyAny>,
        name: &str,
        out_dir: PathBuf,
        tmp_dir: PathBuf,
        keep_vm_state: bool,
        templates: Option<PathBuf>,
        callbacks: Py<PyAny>,
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
        let raised = Arc::new(Mutex::new(None));
        let check = {
            let raised = Arc::clone(&raised);
            move || match call(|py| callbacks.call0(py)) {
                Ok(_) => true,
                Err(error) => {
                    *lock(&raised) = Some(error);
                    false
                }
            }
        };
        let check = Arc::new(check);
        let callbacks = vm.polling_condition("of the script", Duration::ZERO, move |_| {
            let check = Arc::clone(&check);
            async move { Ok(check()) }
        });
        Ok(Self {
            name: name.to_owned(),
            parts: Mutex::new(Some(Parts {
                vm,
                _callbacks: callbacks,
            })),
            start_command,
            raised,
        })
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

    /// Waits for an operation.
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        operation: impl AsyncFnOnce(&machine::Machine) -> machine::Result<T> + Send,
    ) -> PyResult<T> {
        let vm = self.vm()?;
        if vm.pid().is_none() {
            vm.set_start_command(start::command(py, &self.start_command)?);
        }
        let result = wait(py, async move || operation(&vm).await);
        match lock(&self.raised).take() {
            Some(raised) if result.is_err() => Err(raised),
            _ => result,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
