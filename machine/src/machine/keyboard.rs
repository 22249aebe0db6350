//! The keyboard.

use std::time::Duration;

use qmp_mon::Keys;
use serde_json::json;

use crate::error::Result;
use crate::guest::waiting::pause;
use crate::machine::Machine;
use crate::machine::monitor::monitor_error;

/// How long a key is held, and how long it stays up before the next one.
///
/// QEMU's own 100 ms make ten characters take two seconds. A PC keyboard holds
/// sixteen bytes for a guest that is slow to take them, which is five keys: the
/// guest may be away for five times as long as a key takes.
const HOLD: Duration = Duration::from_millis(20);

/// # The keyboard
///
/// Keys are those of a US keyboard, whatever layout the guest has.
impl Machine {
    /// A handle that waits for `delay` after each key, 10 ms by default, in
    /// addition to the time the key takes.
    #[must_use]
    pub fn key_delay(&self, delay: Duration) -> Self {
        let mut handle = self.clone();
        handle.key_delay = delay;
        handle
    }

    /// Presses keys together and lets them go: `ctrl-alt-delete`, `shift-tab`,
    /// `ret`, `0x1c`, or a character. The names are those of QEMU's `sendkey`.
    ///
    /// Returns when the keys are up again.
    ///
    /// # Errors
    /// [`Monitor`](crate::ErrorKind::Monitor) with the name that is unknown, at
    /// once.
    pub async fn send_key(&self, key: &str) -> Result<()> {
        self.step(&format!("sending key {key:?}"), self.send_key_silently(key))
            .await
    }

    /// The same, without a word in the log: for many keys.
    ///
    /// # Errors
    /// As [`send_key`](Self::send_key).
    pub async fn send_key_silently(&self, key: &str) -> Result<()> {
        let keys: Keys = self.keys(key.parse())?;
        self.check_conditions().await?;
        self.press(&keys).await
    }

    /// Types characters: printable ASCII, newline (`ret`), tab, backspace and
    /// escape. Returns when all are typed.
    ///
    /// # Errors
    /// [`Monitor`](crate::ErrorKind::Monitor) with the character that has no
    /// key, before any is typed.
    pub async fn send_chars(&self, chars: &str) -> Result<()> {
        let keys: Vec<Keys> = self.keys(chars.chars().map(Keys::for_char).collect())?;
        self.step(&format!("sending keys {chars:?}"), async {
            self.check_conditions().await?;
            for keys in &keys {
                self.press(keys).await?;
            }
            Ok(())
        })
        .await
    }

    fn keys<T>(&self, keys: Result<T, qmp_mon::Error>) -> Result<T> {
        keys.map_err(|source| self.error(monitor_error("typing", source)))
    }

    /// QEMU queues no more than a thousand events and drops the rest: so a key
    /// is awaited before the next.
    async fn press(&self, keys: &Keys) -> Result<()> {
        let arguments = json!({ "keys": keys.to_qmp(), "hold-time": HOLD.as_millis() });
        self.qmp("send-key", arguments).await?;
        // Each key has its time to go down and to come up.
        let transitions = u32::try_from(2 * keys.count()).unwrap_or(u32::MAX);
        pause(HOLD.saturating_mul(transitions) + self.key_delay).await;
        Ok(())
    }
}
