//! Sleeping by the guest's clock.

use std::time::Duration;

use super::Guest;
use crate::error::Result;

/// The operation, in errors.
const SLEEPING: &str = "sleeping";

/// In hundredths of a second: what bash can add an uptime to.
const LONGEST: u128 = 1 << 62;

impl Guest {
    /// Sleeps for `duration` of the guest's clock, which may be slower than the host's,
    /// by at most the time limit of this handle.
    ///
    /// # Errors
    /// As [`wait_until_succeeds`](Self::wait_until_succeeds).
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        let running = self.started(SLEEPING).await?;
        let hundredths = duration.as_millis().div_ceil(10).min(LONGEST).to_string();
        let script = self.script(SLEEPING).set("duration", &hundredths)?;
        let script = script.append(include_str!("wake_up_time.sh"));
        let wake_up = self.run_untraced(&running, script.into_text()).await?;
        let script = self.script(SLEEPING).set("wake_up", wake_up.trim_end())?;
        let script = script.append(include_str!("sleep.sh"));
        let what = format!("{duration:?} to pass in the guest");
        let handle = self.limited(duration.saturating_add(self.limit));
        handle.wait_in_guest(&what, script, "not yet").await
    }
}
