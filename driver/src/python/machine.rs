//! The class `Machine` of the module `_vmwright`, to which the class `Machine` of scripts
//! delegates.

mod callbacks;
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

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use self::callbacks::Callbacks;
use super::errors::exception;
use super::waiting::runtime;
use crate::sync::Mutex;

/// A virtual machine.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Machine {
    name: String,
    /// None once its state directory was removed.
    vm: Mutex<Option<machine::Machine>>,
    /// Returns the start command, which a script may have changed.
    start_command: Py<PyAny>,
    callbacks: Callbacks,
}

#[pymethods]
impl Machine {
    /// If `has_callbacks` returns true, `run_callbacks` is called before each command, key
    /// press and reading of the screen, and during waits and commands.
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
        has_shell: bool,
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
        if !has_shell {
            vm = vm.without_shell();
        }
        if let Some(cache_dir) = templates {
            vm = vm.templates(cache_dir);
        }
        let vm = vm.build().map_err(|error| exception(py, &error))?;
        Ok(Self {
            name: name.to_owned(),
            vm: Mutex::new(Some(vm)),
            start_command,
            callbacks: Callbacks::new(has_callbacks, run_callbacks),
        })
    }

    /// Calls `has_callbacks` again, also on behalf of operations that already run in other
    /// threads.
    fn update_callbacks(&self, py: Python<'_>) -> PyResult<()> {
        match self.vm() {
            Ok(vm) => self.callbacks.update(py, &vm),
            // It was released.
            Err(_) => Ok(()),
        }
    }

    /// Kills QEMU and removes the state directory.
    fn cleanup_statedir(&self, py: Python<'_>) {
        let vm = self.vm.lock().take();
        self.callbacks.clear();
        py.detach(|| {
            if let Some(vm) = vm {
                vm.release();
                drop(vm);
            }
        });
    }
}

impl Machine {
    fn vm(&self) -> PyResult<machine::Machine> {
        let vm = self.vm.lock().clone();
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
        let vm = callbacks::handle(self.vm()?);
        self.callbacks.update(py, &vm)?;
        if vm.pid().is_none() {
            vm.set_start_command(start::command(py, &self.start_command)?);
        }
        callbacks::wait(py, async move || operation(&vm).await)
    }
}
