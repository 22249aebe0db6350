//! Clones that are made before they are needed.

use std::sync::{Arc, LazyLock};

use tokio::runtime::{self, Runtime};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber as _;

use super::Template;
use crate::error::Result;
use crate::machine::Machine;

/// The next clone, in preparation or ready. It is dropped with the last handle.
#[derive(Clone, Debug)]
pub(super) struct Prefetch(Arc<Mutex<AbortOnDropHandle<Result<Machine>>>>);

/// Runs prefetched machines, which may be used on another runtime than the one that was
/// current when they were started: each test has its own. It lives as long as the process.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(1)
        .thread_name("prefetch")
        .enable_all()
        .build();
    if let Err(error) = &runtime {
        tracing::warn!("clones can't be made in advance: {error}");
    }
    runtime.ok()
});

impl Template {
    /// A handle that makes its clones in advance: while one is used, the next one is
    /// started, so that [`clone_machine`](Self::clone_machine) returns at once when it is
    /// ready. That keeps one more idle machine running until the handle is dropped.
    ///
    /// Use it for tests that run one after another in one process; it gains nothing if all
    /// cores are busy. The handle and its clones may be used on any tokio runtime.
    #[must_use]
    pub fn prefetch(&self) -> Self {
        let next = self.begin().map(|next| Arc::new(Mutex::new(next)));
        Self {
            prefetch: next.map(Prefetch),
            ..self.clone()
        }
    }

    /// A handle that makes no clones in advance.
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
        if let Some(another) = self.begin() {
            *next = another;
        }
        drop(next);
        match made {
            Ok(Ok(vm)) if vm.pid().is_some() => Ok(vm),
            Ok(Err(error)) => Err(error),
            // It has exited since.
            _ => self.clone_with(|builder| builder).await,
        }
    }

    fn begin(&self) -> Option<AbortOnDropHandle<Result<Machine>>> {
        let template = self.plain();
        let making = async move { template.clone_with(|builder| builder).await };
        let runtime = RUNTIME.as_ref()?;
        let task = runtime.spawn(making.with_current_subscriber());
        Some(AbortOnDropHandle::new(task))
    }
}
