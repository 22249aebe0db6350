//! systemd jobs: starting and stopping units.

use backdoor_shell::Output;

use super::Guest;
use crate::error::Result;
use crate::unit::Unit;

/// # Jobs
///
/// Dropping the future of an operation does not cancel the job that it has begun.
impl Guest {
    /// Runs `systemctl start`, which waits for the job to end, and returns its
    /// status and output, whatever they are.
    pub async fn start_job(&self, unit: impl Into<Unit>) -> Result<Output> {
        self.job("start", unit.into()).await
    }

    /// Runs `systemctl stop`, which waits for the job to end, and returns its
    /// status and output, whatever they are.
    pub async fn stop_job(&self, unit: impl Into<Unit>) -> Result<Output> {
        self.job("stop", unit.into()).await
    }

    /// Waits until a unit is active: [`wait_for_unit`](Self::wait_for_unit).
    pub async fn wait_for_job(&self, unit: impl Into<Unit>) -> Result<()> {
        self.wait_for_unit(unit).await
    }

    async fn job(&self, verb: &str, unit: Unit) -> Result<Output> {
        let query = self.unit_query(&[verb], &unit)?;
        self.step(
            &format!("systemctl {verb} {unit}"),
            self.systemctl(&query, unit.user()),
        )
        .await
    }
}
