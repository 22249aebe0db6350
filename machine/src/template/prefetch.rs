//! Clones that are made before they are needed.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::Template;
use crate::error::Result;
use crate::machine::Machine;

/// The next clone, in preparation or ready. It is dropped with the last handle.
#[derive(Clone, Debug)]
pub(super) struct Prefetch(Arc<Mutex<AbortOnDropHandle<Result<Machine>>>>);

impl Template {
    /// A handle that makes its clones ahead: while one is used, the next one is started, so
    /// that [`clone_machine`](Self::clone_machine) returns at once when it is ready. That
    /// keeps one more idle machine running until the handle is dropped.
    ///
    /// Use it for tests that run one after another; it gains nothing if all cores are busy.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn ahead(&self) -> Self {
        let next = Arc::new(Mutex::new(self.begin()));
        Self {
            prefetch: Some(Prefetch(next)),
            ..self.clone()
        }
    }

    /// A handle that makes no clones ahead.
    pub(super) fn plain(&self) -> Self {
        Self {
            prefetch: None,
            ..self.clone()
        }
    }

    /// Waits for the next clone, takes it, and begins another one.
    pub(super) async fn take_prefetched(&self, prefetch: &Prefetch) -> Result<Machine> {
        let mut next = prefetch.0.lock().await;
        let made = (&mut *next).await;
        *next = self.begin();
        drop(next);
        match made {
            Ok(Ok(vm)) if vm.pid().is_some() => Ok(vm),
            Ok(Err(error)) => Err(error),
            // It has exited since.
            _ => self.clone_with(|builder| builder).await,
        }
    }

    fn begin(&self) -> AbortOnDropHandle<Result<Machine>> {
        let template = self.plain();
        let making = async move { template.clone_with(|builder| builder).await };
        AbortOnDropHandle::new(tokio::spawn(making))
    }
}
