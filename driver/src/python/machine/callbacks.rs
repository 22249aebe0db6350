//! Calls of a script's callbacks, such as its polling conditions, before and during the
//! operations of a machine.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use machine::PollingCondition;
use pyo3::prelude::*;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

use crate::python::callback::Raised;
use crate::sync::Mutex;

thread_local! {
    /// Whether this thread runs a callback.
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// The callbacks of a machine.
pub(super) struct Callbacks {
    /// Returns whether there are any.
    exist: Py<PyAny>,
    run: Arc<Py<PyAny>>,
    /// The exception of a callback, which ends the operation.
    raised: Raised,
    /// Runs them. `None` while there are none, so that operations need not attach to Python.
    condition: Mutex<Option<PollingCondition>>,
}

impl Callbacks {
    pub(super) fn new(exist: Py<PyAny>, run: Py<PyAny>) -> Self {
        Self {
            exist,
            run: Arc::new(run),
            raised: Raised::default(),
            condition: Mutex::new(None),
        }
    }

    /// Finds out whether there are callbacks, also on behalf of operations that already run.
    pub(super) fn update(&self, py: Python<'_>, vm: &machine::Machine) -> PyResult<()> {
        let exist = self.exist.call0(py)?.is_truthy(py)?;
        let mut condition = self.condition.lock();
        if !exist {
            *condition = None;
        } else if condition.is_none() {
            *condition = Some(self.condition(vm));
        }
        Ok(())
    }

    /// Runs them no more. Drops the handle of the machine.
    pub(super) fn clear(&self) {
        *self.condition.lock() = None;
    }

    /// Takes the exception of a callback, if any.
    pub(super) fn take_raised(&self) -> Option<PyErr> {
        self.raised.take()
    }

    /// A condition of `vm` that runs the callbacks, each time in a thread of its own: the
    /// operation goes on meanwhile, and releases the shell, which a callback may need.
    fn condition(&self, vm: &machine::Machine) -> PollingCondition {
        let (run, raised) = (Arc::clone(&self.run), self.raised.clone());
        // A call that outlived the operation during which it was begun.
        let last = Arc::new(tokio::sync::Mutex::new(None::<JoinHandle<bool>>));
        vm.polling_condition("of the script", Duration::ZERO, move |_| {
            let (run, raised, last) = (Arc::clone(&run), raised.clone(), Arc::clone(&last));
            async move {
                let mut last = last.lock().await;
                let call = last.get_or_insert_with(|| {
                    let span = Span::current();
                    spawn_blocking(move || {
                        CALLED_BACK.set(true);
                        let succeeded = span.in_scope(|| raised.call(|py| run.call0(py)).is_some());
                        CALLED_BACK.set(false);
                        succeeded
                    })
                });
                let succeeded = call.await;
                *last = None;
                // A panic was reported by its thread.
                Ok(succeeded.unwrap_or(false))
            }
        })
    }
}

/// The handle for an operation: one that runs no callbacks if a callback calls it.
pub(super) fn handle(vm: machine::Machine) -> machine::Machine {
    if CALLED_BACK.get() {
        vm.unchecked()
    } else {
        vm
    }
}
