//! Steps: what is being done, told as spans.

use std::fmt::Display;

use tracing::Instrument as _;

use crate::error::Result;
use crate::machine::Machine;
use crate::trace::{self, StepOutcome};

impl Machine {
    /// Does `operation` in a span that tells how it ends. Steps within it are the
    /// span's children.
    ///
    /// The operation is put on the heap: steps are nested, and futures that hold
    /// each other whole grow to tens of kilobytes.
    pub(crate) fn step<T, E: Display>(
        &self,
        what: &str,
        operation: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        let operation = Box::pin(operation);
        async move {
            let span = trace::step(Some(self.name()), None, what);
            let outcome = StepOutcome::of(span.clone());
            let result = operation.instrument(span).await;
            match &result {
                Ok(_) => outcome.ok(),
                Err(error) => outcome.failed(error, None, false),
            }
            result
        }
    }
}
