//! Calls of a script's callbacks, such as its polling conditions, before and during the
//! operations of a machine.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use machine::{Guest, PollingCondition};
use pyo3::prelude::*;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::task_local;
use tracing::Span;

use super::Node;
use crate::python::callback::Raised;
use crate::python::waiting;
use crate::sync::Mutex;

task_local! {
    /// The exception of a callback that ends this operation.
    static RAISED: Raised;
}

thread_local! {
    /// Whether this thread runs a callback.
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// The callbacks of a machine.
pub(super) struct Callbacks {
    /// Returns whether there are any.
    exist: Py<PyAny>,
    run: Arc<Py<PyAny>>,
    /// Runs them. `None` while there are none, so that operations need not attach to Python.
    condition: Mutex<Option<PollingCondition>>,
}

impl Callbacks {
    pub(super) fn new(exist: Py<PyAny>, run: Py<PyAny>) -> Self {
        Self {
            exist,
            run: Arc::new(run),
            condition: Mutex::new(None),
        }
    }

    /// Finds out whether there are callbacks, also on behalf of operations that already run.
    pub(super) fn update(&self, py: Python<'_>, vm: &Guest) -> PyResult<()> {
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

    /// A condition of `vm` that runs the callbacks, each time in a thread of its own: the
    /// operation goes on meanwhile, and releases the shell, which a callback may need.
    fn condition(&self, vm: &Guest) -> PollingCondition {
        let run = Arc::clone(&self.run);
        // A call that outlived the operation during which it was begun.
        let last = Arc::new(tokio::sync::Mutex::new(None::<JoinHandle<PyResult<()>>>));
        vm.polling_condition("of the script", Duration::ZERO, move |_| {
            let (run, last) = (Arc::clone(&run), Arc::clone(&last));
            async move {
                let mut last = last.lock().await;
                let called = last.get_or_insert_with(|| spawn(run)).await;
                *last = None;
                match called {
                    Ok(Ok(())) => return Ok(true),
                    // An operation outside of `wait` fails by the condition itself.
                    Ok(Err(exception)) => drop(RAISED.try_with(|raised| raised.set(exception))),
                    // A panic was reported by its thread.
                    Err(_) => {}
                }
                Ok(false)
            }
        })
    }
}

/// Runs the callbacks in a thread, within the present step.
fn spawn(run: Arc<Py<PyAny>>) -> JoinHandle<PyResult<()>> {
    let span = Span::current();
    spawn_blocking(move || {
        CALLED_BACK.set(true);
        let called = span.in_scope(|| Python::attach(|py| run.call0(py).map(drop)));
        CALLED_BACK.set(false);
        called
    })
}

/// As [`waiting::wait`]. If a callback raised an exception during the operation, it is the
/// operation's error.
pub(super) fn wait<T: Send>(
    py: Python<'_>,
    operation: impl AsyncFnOnce() -> machine::Result<T> + Send,
) -> PyResult<T> {
    let raised = Raised::default();
    let result = {
        let raised = raised.clone();
        waiting::wait(py, async move || RAISED.scope(raised, operation()).await)
    };
    result.map_err(|error| raised.take().unwrap_or(error))
}

/// The handle for an operation: one that runs no callbacks if a callback calls it.
pub(super) fn handle(node: Node) -> Node {
    if CALLED_BACK.get() {
        node.unchecked()
    } else {
        node
    }
}
