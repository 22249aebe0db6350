//! Clones made ahead of their use.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::Template;
use crate::Machine;
use crate::error::Result;

/// The next clone, being made or waiting to be used; it goes with the last handle.
#[derive(Clone, Debug)]
pub(super) struct Ahead(Arc<Mutex<AbortOnDropHandle<Result<Machine>>>>);

impl Template {
    /// A handle that makes its clones ahead: while one is used, the next is started,
    /// so that [`clone_machine`](Self::clone_machine) takes no time once it has been
    /// made. One machine more runs for that, idle, until the handle is dropped.
    ///
    /// For tests that come one after another, and for trying things out; it is no gain
    /// where all cores are busy.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn ahead(&self) -> Self {
        let next = Arc::new(Mutex::new(self.begin()));
        Self {
            ahead: Some(Ahead(next)),
            ..self.clone()
        }
    }

    /// A handle that makes none ahead.
    pub(super) fn plain(&self) -> Self {
        Self {
            ahead: None,
            ..self.clone()
        }
    }

    /// The clone that was made ahead, once it is ready; another is begun.
    pub(super) async fn take_ahead(&self, ahead: &Ahead) -> Result<Machine> {
        let mut next = ahead.0.lock().await;
        let made = (&mut *next).await;
        *next = self.begin();
        drop(next);
        match made {
            Ok(Ok(vm)) if vm.pid().is_some() => Ok(vm),
            Ok(Err(error)) => Err(error),
            // It has ended meanwhile.
            _ => self.clone_with(|builder| builder).await,
        }
    }

    fn begin(&self) -> AbortOnDropHandle<Result<Machine>> {
        let template = self.plain();
        let making = async move { template.clone_with(|builder| builder).await };
        AbortOnDropHandle::new(tokio::spawn(making))
    }
}
