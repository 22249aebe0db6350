//! The keyboard.

use std::time::Duration;

use qmp_mon::Keys;

use super::Machine;
use crate::error::Result;
use crate::instance::monitor_error;

/// # The keyboard
///
/// Keys are those of a US keyboard, whatever layout the guest has.
impl Machine {
    /// A handle that pauses for `delay` after each key, 10 ms by default, in
    /// addition to the time that the key takes.
    #[must_use]
    pub fn with_key_delay(&self, delay: Duration) -> Self {
        let mut handle = self.clone();
        handle.key_delay = delay;
        handle
    }

    /// Presses keys together and releases them: `ctrl-alt-delete`, `shift-tab`,
    /// `ret`, `0x1c`, or a character. The names are those of QEMU's `sendkey`.
    ///
    /// Returns when the keys are released.
    ///
    /// # Errors
    /// [`Monitor`](crate::ErrorKind::Monitor) with the unknown name, at once.
    ///
    /// # Cancellation
    /// The keys may have been pressed; QEMU releases them.
    pub async fn send_key(&self, key: &str) -> Result<()> {
        self.step(&format!("sending key {key:?}"), self.send_key_silently(key))
            .await
    }

    /// The same without a step in the log, for many keys.
    ///
    /// # Errors
    /// As [`send_key`](Self::send_key).
    pub async fn send_key_silently(&self, key: &str) -> Result<()> {
        let keys: Keys = self.keys(key.parse())?;
        self.press(&[keys]).await
    }

    /// Types characters: printable ASCII, newline (`ret`), tab, backspace and
    /// escape. Returns when all are typed.
    ///
    /// # Errors
    /// [`Monitor`](crate::ErrorKind::Monitor) with the character that has no
    /// key, before any is typed.
    ///
    /// # Cancellation
    /// Some of the characters may have been typed.
    pub async fn send_chars(&self, chars: &str) -> Result<()> {
        let keys: Vec<Keys> = self.keys(chars.chars().map(Keys::for_char).collect())?;
        self.step(&format!("sending keys {chars:?}"), self.press(&keys))
            .await
    }

    fn keys<T>(&self, keys: Result<T, qmp_mon::Error>) -> Result<T> {
        keys.map_err(|source| self.error(monitor_error("typing", source)))
    }

    /// Presses one combination of keys after the other.
    async fn press(&self, keys: &[Keys]) -> Result<()> {
        self.on_qemu("typing", async |monitors| {
            for keys in keys {
                monitors.press(keys, self.key_delay).await?;
            }
            Ok(())
        })
        .await
    }
}
