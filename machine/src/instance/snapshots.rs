//! Snapshots: taking one and restoring it, with the guest's shell and shares.

use std::sync::Arc;

use backdoor_shell::Session;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::Instance;
use super::snapshot_job::{SnapshotNodes, snapshot_error};
use crate::error::Result;
use crate::guest::Guest;
use crate::guest::identity::Identity;
use crate::guest::parse::mounts::Mount;
use crate::guest::shell_gate::ShellLock;
use crate::host::completion::to_completion;

/// The operations, in errors.
pub(crate) const TAKING: &str = "taking a snapshot";
pub(crate) const RESTORING: &str = "restoring a snapshot";

/// A state of a machine that can be [restored](crate::Machine::restore): RAM, devices and
/// disks.
#[derive(Clone, Debug)]
pub struct Snapshot {
    nodes: SnapshotNodes,
    /// The process id of the QEMU that it belongs to.
    qemu: u32,
    /// The session of the guest's shell, if it has one.
    session: Option<Session>,
    /// What the console's screen showed.
    screen: String,
    /// The shares that were unmounted for it.
    mounts: Vec<Mount>,
    /// The token of the clone agent that waits in the guest, if there is one.
    agent: Option<String>,
}

/// A guest whose shell is suspended for a snapshot.
struct Suspended {
    lock: ShellLock,
    /// The session of the guest's shell, if it has one.
    session: Option<Session>,
    /// The token of the clone agent that waits in the guest, if there is one.
    agent: Option<String>,
    /// The lock of the start port, which must not be in a snapshot.
    unplugged: OwnedMutexGuard<()>,
}

/// `guest` is a handle whose operations check no polling conditions.
impl Instance {
    /// Takes a snapshot. It is completed even if the future is dropped after the guest was
    /// stopped.
    pub(crate) async fn take_snapshot(self: Arc<Self>, guest: Guest) -> Result<Snapshot> {
        let one_at_a_time = self.lock_snapshots(&guest, TAKING).await?;
        let nodes = self.request(&guest, TAKING, async |monitors| {
            monitors.snapshot_nodes().await
        });
        let nodes = nodes.await?;
        let mounts = if guest.has_shell() {
            guest.unmount_shares().await?
        } else {
            Vec::new()
        };
        let suspended = self.suspend_for_snapshot(&guest, &mounts).await?;
        let mut snapshot = Snapshot {
            nodes,
            qemu: self.running.lifetime.pid(),
            session: suspended.session,
            screen: String::new(),
            mounts,
            agent: suspended.agent,
        };
        to_completion(async move {
            let saved = self.request(&guest, TAKING, async |monitors| {
                let job = "snapshot-save";
                monitors.run_job(job, &snapshot.nodes, || ()).await
            });
            let saved = saved.await;
            snapshot.screen = self.running.lifetime.console.screen_state();
            drop(suspended.lock);
            let resumed = self.resume_snapshot(&guest, &snapshot).await;
            drop((one_at_a_time, suspended.unplugged));
            saved?;
            resumed.map(|()| snapshot)
        })
        .await
    }

    /// Restores a snapshot, even of a guest that is dead. It is completed even if the future
    /// is dropped after it has begun.
    pub(crate) async fn restore(self: Arc<Self>, guest: Guest, snapshot: &Snapshot) -> Result<()> {
        if self.running.lifetime.pid() != snapshot.qemu {
            let reason = "it is of another machine, or of this one before it was started again";
            return Err(guest.error(snapshot_error(RESTORING, reason)));
        }
        let one_at_a_time = self.lock_snapshots(&guest, RESTORING).await?;
        let unplugged = self.lock_start_port(&guest, RESTORING).await?;
        let mut lock = self.running.gate.hold(&guest, RESTORING).await?;
        let snapshot = snapshot.clone();
        to_completion(async move {
            let rewind = || {
                if let Some(session) = snapshot.session {
                    lock.rewind(session);
                }
                let console = &self.running.lifetime.console;
                console.set_screen_state(&snapshot.screen);
            };
            let loaded = self.request(&guest, RESTORING, async |monitors| {
                let job = "snapshot-load";
                monitors.run_job(job, &snapshot.nodes, rewind).await
            });
            let loaded = loaded.await;
            drop(lock);
            loaded?;
            self.running.lifetime.watch.clear();
            let resumed = self.resume_snapshot(&guest, &snapshot).await;
            drop((one_at_a_time, unplugged));
            resumed
        })
        .await
    }

    async fn resume_snapshot(&self, guest: &Guest, snapshot: &Snapshot) -> Result<()> {
        let identity = Identity::resumed(&snapshot.mounts);
        let agent = snapshot.agent.as_deref();
        self.apply_identity(guest, agent, &identity).await
    }

    /// Starts the clone agent and suspends the guest's shell; lets the guest continue as
    /// before if that fails.
    async fn suspend_for_snapshot(&self, guest: &Guest, mounts: &[Mount]) -> Result<Suspended> {
        let mut agent = None;
        let suspended = async {
            let unplugged = self.lock_start_port(guest, TAKING).await?;
            agent = self.start_clone_agent(guest).await?;
            let (lock, session) = self.running.gate.suspend(guest).await?;
            Ok((lock, session, unplugged))
        };
        match suspended.await {
            Ok((lock, session, unplugged)) => Ok(Suspended {
                lock,
                session,
                agent,
                unplugged,
            }),
            Err(error) => {
                let identity = Identity::resumed(mounts);
                let resumed = self.apply_identity(guest, agent.as_deref(), &identity);
                let _ = timeout(guest.limit(), resumed).await;
                Err(error)
            }
        }
    }
}
