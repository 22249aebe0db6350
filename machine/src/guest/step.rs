//! Steps: what is being done, told as spans.

use std::fmt::Display;

use tracing::Instrument as _;
use tracing::field::Empty;

use crate::error::Result;
use crate::machine::Machine;
use crate::trace::{Ending, STEP};

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
            let span = tracing::info_span!(
                target: STEP,
                "step",
                machine = self.name(),
                what,
                outcome = Empty,
                error = Empty
            );
            let ending = Ending::of(span.clone());
            let result = operation.instrument(span).await;
            ending.tell(&result);
            result
        }
    }
}
