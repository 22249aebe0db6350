//! Pressing keys.

use std::time::Duration;

use qmp_mon::Keys;
use serde_json::json;

use super::Monitors;
use crate::error::{ErrorKind, Result};
use crate::guest::waiting::pause;

/// How long a key is held, and how long it stays up before the next one.
///
/// With QEMU's default of 100 ms, ten characters take two seconds. A PC keyboard buffers
/// sixteen bytes, which is five keys: the guest may be busy for five times as long as a
/// key takes.
const HOLD: Duration = Duration::from_millis(20);

impl Monitors<'_> {
    /// Presses keys together, and waits until they are released and for `delay`.
    ///
    /// QEMU queues no more than a thousand events and drops the rest, so each key is
    /// awaited before the next one.
    pub(crate) async fn press(&self, keys: &Keys, delay: Duration) -> Result<(), ErrorKind> {
        let arguments = json!({ "keys": keys.to_qmp(), "hold-time": HOLD.as_millis() });
        self.qmp("send-key", arguments).await?;
        let transitions = u32::try_from(2 * keys.count()).unwrap_or(u32::MAX);
        pause(HOLD.saturating_mul(transitions) + delay).await;
        Ok(())
    }
}
