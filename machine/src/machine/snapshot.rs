//! Snapshots: restoring an earlier state of the same machine.

use std::sync::Arc;

use backdoor_shell::Session;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::Machine;
use crate::error::Result;
use crate::guest::identity::Identity;
use crate::guest::mounts::Mount;
use crate::guest::shell_gate::Turn;
use crate::instance::Instance;
use crate::instance::snapshots::{SnapshotNodes, snapshot_error};

const TAKING: &str = "taking a snapshot";
const RESTORING: &str = "restoring a snapshot";

/// A state of a machine that can be [restored](Machine::restore): RAM, devices and disks.
#[derive(Clone, Debug)]
pub struct Snapshot {
    nodes: SnapshotNodes,
    /// The process id of the QEMU that it belongs to.
    qemu: u32,
    /// The session of the guest's shell.
    session: Session,
    /// The shares that were unmounted for it.
    mounts: Vec<Mount>,
    /// The token of the clone agent that waits in the guest, if there is one.
    agent: Option<String>,
}

/// # Snapshots
impl Machine {
    /// Saves the machine's present state, to be [restored](Self::restore) any number of
    /// times until QEMU exits.
    ///
    /// It is written to the machine's own disk image, where it stays, which takes as long
    /// as writing the RAM that the guest has used. The guest is stopped meanwhile, and the
    /// 9p share is unmounted.
    ///
    /// # Errors
    /// [`NotSavable`](crate::ErrorKind::NotSavable),
    /// [`Snapshot`](crate::ErrorKind::Snapshot): no writable disk is in the format qcow2,
    /// say.
    ///
    /// # Cancellation
    /// Before the guest is stopped, dropping the future cancels it, perhaps with the share
    /// unmounted. After that, the snapshot is completed.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.step(TAKING, async {
            let instance = self.instance(TAKING)?;
            let one_at_a_time = self.lock_snapshots(&instance).await?;
            let nodes = self.on_qemu(TAKING, async |monitors| monitors.snapshot_nodes().await);
            let nodes = nodes.await?;
            let vm = self.unchecked();
            let mounts = vm.unmount_shares().await?;
            let suspended = vm.suspend_for_snapshot(&instance, &mounts).await;
            let (shell, session, agent) = suspended?;
            let snapshot = Snapshot {
                nodes,
                qemu: instance.running.lifetime.pid(),
                session,
                mounts,
                agent,
            };
            self.to_completion(async move {
                let saved = vm.on_instance(&instance, TAKING, async |monitors| {
                    monitors.run_job("snapshot-save", &snapshot.nodes, || ()).await
                });
                let saved = saved.await;
                drop(shell);
                let resumed = vm.resume_snapshot(&instance, &snapshot).await;
                drop(one_at_a_time);
                saved?;
                resumed.map(|()| snapshot)
            })
            .await
        })
        .await
    }

    /// Restores an earlier state of this machine, even if its guest has rebooted since, or
    /// hangs; then sets the guest's clock and reseeds its random number generator.
    ///
    /// Everything that the guest has done since then is undone; the console's log, files
    /// in the share and everything else on the host stay as they are.
    ///
    /// # Errors
    /// [`Snapshot`](crate::ErrorKind::Snapshot): it belongs to another machine, or to this
    /// one before it was started again.
    ///
    /// # Cancellation
    /// A restoration that has begun is completed.
    pub async fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        self.step(RESTORING, async {
            let instance = self.instance(RESTORING)?;
            if instance.running.lifetime.pid() != snapshot.qemu {
                let reason = "it is of another machine, or of this one before it was started again";
                return Err(self.error(snapshot_error(RESTORING, reason)));
            }
            let one_at_a_time = self.lock_snapshots(&instance).await?;
            let running = &instance.running;
            let mut shell = running.gate.hold(self, RESTORING).await?;
            let (vm, snapshot) = (self.unchecked(), snapshot.clone());
            self.to_completion(async move {
                let session = snapshot.session;
                let rewind = || shell.rewind(session);
                let loaded = vm.on_instance(&instance, RESTORING, async |monitors| {
                    monitors.run_job("snapshot-load", &snapshot.nodes, rewind).await
                });
                let loaded = loaded.await;
                drop(shell);
                loaded?;
                instance.running.lifetime.watch.forget();
                let resumed = vm.resume_snapshot(&instance, &snapshot).await;
                drop(one_at_a_time);
                resumed
            })
            .await
        })
        .await
    }

    async fn resume_snapshot(&self, instance: &Instance, snapshot: &Snapshot) -> Result<()> {
        let identity = Identity::resumed(&snapshot.mounts);
        let agent = snapshot.agent.as_deref();
        instance.apply_identity(&self.guest, agent, &identity).await
    }

    /// Locks the machine's snapshots; waits no longer than this handle waits.
    async fn lock_snapshots(&self, instance: &Instance) -> Result<OwnedMutexGuard<()>> {
        let lock = timeout(self.limit(), Arc::clone(&instance.snapshots).lock_owned()).await;
        lock.map_err(|_| {
            let seen = "another one is being taken or restored";
            let lifetime = &instance.running.lifetime;
            let what = "the end of another snapshot";
            self.error(lifetime.timed_out(self.limit(), what, 1, seen))
        })
    }

    /// Starts the clone agent and suspends the guest's shell; lets the guest continue as
    /// before if that fails.
    async fn suspend_for_snapshot(
        &self,
        instance: &Instance,
        mounts: &[Mount],
    ) -> Result<(Turn, Session, Option<String>)> {
        let mut agent = None;
        let suspended = async {
            agent = instance.start_clone_agent(&self.guest).await?;
            instance.running.gate.suspend(self).await
        };
        match suspended.await {
            Ok((shell, session)) => Ok((shell, session, agent)),
            Err(error) => {
                let identity = Identity::resumed(mounts);
                let resumed = instance.apply_identity(&self.guest, agent.as_deref(), &identity);
                let _ = timeout(self.limit(), resumed).await;
                Err(error)
            }
        }
    }
}
