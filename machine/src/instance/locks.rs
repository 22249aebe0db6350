//! Locks for operations that must not run at the same time.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::Instance;
use crate::error::Result;
use crate::guest::Guest;

/// Locks of an instance.
#[derive(Debug, Default)]
pub(super) struct Locks {
    /// Locked while a snapshot is taken or restored.
    snapshot: Arc<Mutex<()>>,
    /// Locked while the guest has the [port](super::start_port) that a saved machine must not have.
    pub(super) start_port: Arc<Mutex<()>>,
}

impl Instance {
    /// Waits until no snapshot is being taken or restored, and prevents that.
    pub(super) async fn lock_snapshots(
        &self,
        guest: &Guest,
        doing: &str,
    ) -> Result<OwnedMutexGuard<()>> {
        let seen = "another one is being taken or restored";
        let waited = ("the end of another snapshot", seen);
        self.lock(guest, &self.locks.snapshot, doing, waited).await
    }

    /// Waits until the guest does not have the start port, and prevents that.
    pub(super) async fn lock_start_port(
        &self,
        guest: &Guest,
        doing: &str,
    ) -> Result<OwnedMutexGuard<()>> {
        let seen = "it is plugged in, because the guest's shell has not connected";
        let waited = (
            "the port that starts the guest's shell to be unplugged",
            seen,
        );
        self.lock(guest, &self.locks.start_port, doing, waited)
            .await
    }

    /// Waits no longer than this handle waits, and not after the end of QEMU. `waited` is
    /// what is waited for, and what is there instead, in the error.
    async fn lock(
        &self,
        guest: &Guest,
        lock: &Arc<Mutex<()>>,
        doing: &str,
        waited: (&str, &str),
    ) -> Result<OwnedMutexGuard<()>> {
        let (limit, lifetime) = (guest.limit(), &self.running.lifetime);
        let locked = async {
            let locked = timeout(limit, Arc::clone(lock).lock_owned()).await;
            locked.map_err(|_| lifetime.timed_out(limit, waited.0, 1, waited.1))
        };
        guest.until_exit(lifetime, doing, locked).await
    }
}
