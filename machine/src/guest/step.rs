//! Steps: the operations of a machine, emitted as spans.

use tracing::Instrument as _;

use super::Guest;
use crate::error::Result;
use crate::trace::{self, StepOutcome};

impl Guest {
    /// Runs `operation` in a span that records its outcome. Steps within it are the
    /// span's children.
    ///
    /// The operation is boxed: steps are nested, and futures that contain each other grow
    /// to tens of kilobytes.
    pub(crate) fn step<T>(
        &self,
        what: &str,
        operation: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let operation = Box::pin(operation);
        async move {
            let span = trace::step(Some(self.name()), None, what);
            let outcome = StepOutcome::of(span.clone());
            let result = operation.instrument(span).await;
            match &result {
                Ok(_) => outcome.ok(),
                Err(error) => outcome.failed(error, Some(error.id()), error.is_infrastructure()),
            }
            result
        }
    }
}
