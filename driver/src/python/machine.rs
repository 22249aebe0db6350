//! The class `Machine` of the module `_vmwright`, to which the class `Machine` of scripts
//! delegates.

mod callbacks;
mod console;
mod files;
mod keyboard;
mod lifecycle;
mod monitor;
mod network;
mod node;
mod screen;
mod shell;
mod start;
mod trouble;
mod units;

use std::path::PathBuf;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use self::callbacks::Callbacks;
use self::node::Node;
use super::errors::exception;
use super::waiting::runtime;
use crate::sync::Mutex;

/// A virtual machine, or a container.
#[pyclass(frozen, module = "_vmwright")]
pub(super) struct Machine {
    name: String,
    /// None once its state directory was removed.
    node: Mutex<Option<Node>>,
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
        let description = start::description(py, &start_command)?;
        let node = if let Some(container) = node::container(&description, name)? {
            let container = container
                .out_dir(out_dir)
                .tmp_dir(tmp_dir)
                .keep_state(keep_vm_state);
            container.build().map(Node::Container)
        } else {
            let mut vm = machine::Machine::builder(start::command(&description)?)
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
            vm.build().map(Node::Machine)
        };
        let node = node.map_err(|error| exception(py, &error))?;
        Ok(Self {
            name: name.to_owned(),
            node: Mutex::new(Some(node)),
            start_command,
            callbacks: Callbacks::new(has_callbacks, run_callbacks),
        })
    }

    /// Calls `has_callbacks` again, also on behalf of operations that already run in other
    /// threads.
    fn update_callbacks(&self, py: Python<'_>) -> PyResult<()> {
        match self.node() {
            Ok(node) => self.callbacks.update(py, &node),
            // It was released.
            Err(_) => Ok(()),
        }
    }

    /// Kills QEMU and removes the state directory.
    fn cleanup_statedir(&self, py: Python<'_>) {
        let node = self.node.lock().take();
        self.callbacks.clear();
        py.detach(|| {
            if let Some(node) = node {
                node.release();
                drop(node);
            }
        });
    }
}

impl Machine {
    fn node(&self) -> PyResult<Node> {
        let node = self.node.lock().clone();
        node.ok_or_else(|| {
            PyRuntimeError::new_err(format!("{}: its state directory was removed", self.name))
        })
    }

    /// Waits for an operation of the machine or container.
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        operation: impl AsyncFnOnce(&Node) -> machine::Result<T> + Send,
    ) -> PyResult<T> {
        let node = callbacks::handle(self.node()?);
        self.callbacks.update(py, &node)?;
        if let Node::Machine(vm) = &node
            && vm.pid().is_none()
        {
            let description = start::description(py, &self.start_command)?;
            vm.set_start_command(start::command(&description)?);
        }
        callbacks::wait(py, async move || operation(&node).await)
    }

    /// Waits for an operation that only a virtual machine has.
    fn wait_for_qemu<T: Send>(
        &self,
        py: Python<'_>,
        operation: impl AsyncFnOnce(&machine::Machine) -> machine::Result<T> + Send,
    ) -> PyResult<T> {
        if let Node::Container(_) = self.node()? {
            let reason = "a container has no QEMU: no monitor, screen, keyboard or terminal";
            return Err(PyRuntimeError::new_err(format!("{}: {reason}", self.name)));
        }
        self.wait(py, async move |node| match node {
            Node::Machine(vm) => operation(vm).await,
            // It was refused above, and does not become one.
            Node::Container(_) => std::future::pending().await,
        })
    }
}
