//! Steps: what is being done, told as it begins and ends.

use std::time::Instant;

use super::Machine;
use crate::error::Result;

impl Machine {
    /// Does `operation` and tells of it, as the reference driver's log does.
    ///
    /// The operation is put on the heap: steps are nested, and futures that hold
    /// each other whole grow to tens of kilobytes.
    pub(super) fn step<T>(
        &self,
        what: &str,
        operation: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let operation = Box::pin(operation);
        async move {
            let machine = self.name();
            tracing::info!(machine, "{what}");
            let start = Instant::now();
            let result = operation.await;
            let seconds = start.elapsed().as_secs_f64();
            match &result {
                Ok(_) => tracing::info!(machine, "(finished: {what}, in {seconds:.2} seconds)"),
                Err(error) => {
                    // The whole story is for whoever gets the error.
                    let story = error.to_string();
                    let gist = story.lines().next().unwrap_or_default();
                    tracing::error!(machine, "(failed: {what}, in {seconds:.2} seconds) {gist}");
                }
            }
            result
        }
    }
}
