//! Sleeping by the guest's clock.

use std::time::Duration;

use super::Guest;
use crate::error::Result;

/// The operation, in errors.
const SLEEPING: &str = "sleeping";

impl Guest {
    /// Sleeps for so long by the guest's clock, which may be slower than the host's: by
    /// at most as much as this handle waits.
    ///
    /// # Errors
    /// As [`succeed`](Self::succeed).
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        let seconds = duration.as_secs_f64().to_string();
        let running = self.started(SLEEPING).await?;
        let script = self.script(SLEEPING).set("seconds", &seconds)?;
        let script = script.append(include_str!("wake_up_time.sh"));
        let wake_up = self.run_untraced(&running, script.into_text()).await?;
        let script = self.script(SLEEPING).set("wake_up", wake_up.trim_end())?;
        let script = script.append(include_str!("sleep.sh"));
        let what = format!("{seconds} seconds to pass in the guest");
        let handle = self.limited(duration.saturating_add(self.limit));
        handle.wait_in_guest(&what, script, "not yet").await
    }
}
