//! Steps: what is being done, told as it begins and ends.

use std::time::Instant;

use super::Machine;
use crate::error::Result;

impl Machine {
    /// Does `operation` and tells of it, as the reference driver's log does.
    pub(super) async fn step<T>(
        &self,
        what: &str,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let machine = self.name();
        tracing::info!(machine, "{what}");
        let start = Instant::now();
        let result = operation.await;
        let seconds = start.elapsed().as_secs_f64();
        match &result {
            Ok(_) => tracing::info!(machine, "(finished: {what}, in {seconds:.2} seconds)"),
            Err(error) => {
                tracing::error!(machine, "(failed: {what}, in {seconds:.2} seconds) {error}");
            }
        }
        result
    }
}
