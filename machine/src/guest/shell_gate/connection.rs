//! Whether the shell is connected.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::sync::Mutex;

/// What is known of the shell's connection without locking the shell. Times are those of
/// the host's clock.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whether the shell was connected when its lock was last released.
    is_connected: watch::Sender<bool>,
    /// When the shell last greeted or was connected.
    greeted: Mutex<SystemTime>,
    /// When the guest was last reset, which ends its shell.
    reset: watch::Sender<SystemTime>,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            is_connected: watch::Sender::new(false),
            greeted: Mutex::new(UNIX_EPOCH),
            reset: watch::Sender::new(UNIX_EPOCH),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.is_connected.borrow()
    }

    /// Waits until the shell is connected.
    pub(super) async fn connected(&self) {
        let mut is_connected = self.is_connected.subscribe();
        // The sender is in `self`.
        let _ = is_connected.wait_for(|is_connected| *is_connected).await;
    }

    /// Announces whether the shell, whose lock is about to be released, is connected.
    pub(super) fn publish(&self, is_connected: bool) {
        self.is_connected
            .send_replace(is_connected && !self.was_reset());
    }

    /// Records that a shell has greeted just now.
    pub(super) fn record_greeting(&self) {
        *self.greeted.lock() = SystemTime::now();
    }

    /// Records a reset of the guest at this time.
    pub(super) fn record_reset(&self, time: SystemTime) {
        self.reset.send_replace(time);
        if self.was_reset() {
            self.is_connected.send_replace(false);
        }
    }

    /// Whether the guest was reset since its shell greeted.
    pub(super) fn was_reset(&self) -> bool {
        *self.reset.borrow() > *self.greeted.lock()
    }

    /// Waits for that.
    pub(super) async fn until_reset(&self) {
        let mut reset = self.reset.subscribe();
        // The sender is in `self`.
        let _ = reset.wait_for(|reset| *reset > *self.greeted.lock()).await;
    }

    /// Waits until the guest was reset after this time.
    pub(super) async fn reset_after(&self, time: SystemTime) {
        let mut reset = self.reset.subscribe();
        // The sender is in `self`.
        let _ = reset.wait_for(|reset| *reset > time).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reset_ends_the_shell_that_greeted_before_it() {
        let connection = Connection::new();
        let before = SystemTime::now();
        connection.record_greeting();
        connection.publish(true);
        // The report comes late.
        connection.record_reset(before - Duration::from_secs(1));
        assert!(connection.is_connected());

        connection.record_reset(SystemTime::now() + Duration::from_secs(1));
        assert!(!connection.is_connected());
        connection.publish(true);
        assert!(!connection.is_connected());
    }
}
