//! Back to an earlier moment of the same machine.

use std::sync::Arc;

use backdoor_shell::{Session, Shell};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;

use crate::error::{ErrorKind, Result};
use crate::guest::commands::shell_error;
use crate::instance::saved_state::Contents;
use crate::machine::monitor::monitor_error;
use crate::machine::{Machine, Running};

/// A moment of a machine that it can [go back](Machine::restore) to: RAM, devices
/// and disks.
#[derive(Clone, Debug)]
pub struct Snapshot {
    tag: String,
    /// The machine that it is of, as it was started then.
    qemu: u32,
    /// The images that hold it.
    nodes: Vec<String>,
    /// The guest's shell as it was.
    session: Session,
    contents: Contents,
}

/// # Snapshots
impl Machine {
    /// Keeps this moment, to be [gone back](Self::restore) to as often as one likes, until
    /// QEMU ends.
    ///
    /// It is written to the machine's own disk image, where it stays, which takes the time
    /// of writing the RAM that the guest has used. The guest stands still meanwhile. The 9p
    /// share is unmounted for as long. Dropping the future before the guest stands still
    /// gives it up, perhaps with the share unmounted; after that it is taken all the same.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable), [`Snapshot`](ErrorKind::Snapshot): no
    /// writable disk is in the format qcow2, say.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let doing = "taking a snapshot";
        self.step(doing, async {
            let running = self.running(doing)?;
            let one_at_a_time = self.turn_of_snapshots(&running).await?;
            let nodes = self.snapshot_nodes().await?;
            let mut contents = Contents {
                mounts: self.unmount_shares().await?,
                ..Contents::default()
            };
            let suspended = self.suspend(&running, &mut contents).await;
            if suspended.is_err() {
                // Its shares are unmounted. The first error is the one to tell.
                let _ = self.refresh(&contents).await;
            }
            let (shell, session) = suspended?;
            let snapshot = Snapshot {
                tag: format!("vm-{}", uuid::Uuid::new_v4().simple()),
                qemu: running.qemu.pid(),
                nodes,
                session,
                contents,
            };
            let vm = self.clone();
            self.to_its_end(doing, async move {
                let taken = vm.do_job("snapshot-save", &snapshot, || ()).await;
                drop(shell);
                let refreshed = vm.refresh(&snapshot.contents).await;
                drop(one_at_a_time);
                taken?;
                refreshed.map(|()| snapshot)
            })
            .await
        })
        .await
    }

    /// Goes back to a moment of this machine, even if its guest has rebooted since, or
    /// hangs; then sets the guest's clock, and has its random numbers be others than
    /// those it gave then. What has begun is done, even if the future is dropped.
    ///
    /// What the guest has done since then has not happened; the console's log, files
    /// in the share and whatever else is the host's stay as they are.
    ///
    /// # Errors
    /// [`Snapshot`](ErrorKind::Snapshot): it is of another machine, or of this one
    /// before it was started again.
    pub async fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        let doing = "restoring a snapshot";
        self.step(doing, async {
            let running = self.running(doing)?;
            if running.qemu.pid() != snapshot.qemu {
                let reason = "it is of another machine, or of this one before it was started again";
                return Err(self.snapshot_error(doing, reason));
            }
            let one_at_a_time = self.turn_of_snapshots(&running).await?;
            // It is QEMU's affair alone: the guest may be in no state to help.
            let shell = self.turn(&running).await;
            let mut shell = shell.map_err(|kind| self.error(kind))?;
            let (vm, snapshot) = (self.clone(), snapshot.clone());
            self.to_its_end(doing, async move {
                let rewind = || {
                    shell.rewind(snapshot.session);
                    running.is_connected.send_replace(true);
                };
                let loaded = vm.do_job("snapshot-load", &snapshot, rewind).await;
                drop(shell);
                loaded?;
                running.qemu.watch.forget();
                let refreshed = vm.refresh(&snapshot.contents).await;
                drop(one_at_a_time);
                refreshed
            })
            .await
        })
        .await
    }

    /// What whoever takes or restores a snapshot holds, when nobody else does: no longer than
    /// this handle waits.
    async fn turn_of_snapshots(&self, running: &Running) -> Result<OwnedMutexGuard<()>> {
        let turn = timeout(self.limit, Arc::clone(&running.snapshots).lock_owned()).await;
        turn.map_err(|_| {
            let seen = "another one is being taken or restored";
            self.error(self.timed_out(running, "the end of another snapshot", 1, seen))
        })
    }

    /// Does what must not end halfway, even if nobody waits for it any more: a guest that
    /// stands still would do so for ever.
    async fn to_its_end<T: Send + 'static>(
        &self,
        doing: &str,
        operation: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let operation = operation.in_current_span().with_current_subscriber();
        let ended = tokio::spawn(operation).await;
        ended.unwrap_or_else(|gone| Err(self.snapshot_error(doing, &gone.to_string())))
    }

    /// Has the guest's shell wait, and what makes the guest go on after that.
    async fn suspend(
        &self,
        running: &Running,
        contents: &mut Contents,
    ) -> Result<(OwnedMutexGuard<Shell<UnixStream>>, Session)> {
        contents.waiter = self.start_waiter().await?;
        let shell = self.turn(running).await;
        let mut shell = shell.map_err(|kind| self.error(kind))?;
        let session = shell.suspend().await;
        let session = session.map_err(|source| self.error(shell_error(running, source)))?;
        Ok((shell, session))
    }

    /// Has QEMU do one of its jobs with a snapshot while the guest stands still, and `then`
    /// is done before that goes on, if the job is.
    async fn do_job(&self, job: &str, snapshot: &Snapshot, then: impl FnOnce()) -> Result<()> {
        self.qmp("stop", Value::Null).await?;
        let done = self.finish_job(job, snapshot).await;
        if done.is_ok() {
            then();
        }
        self.qmp("cont", Value::Null).await?;
        done
    }

    /// The images that a snapshot is in: one of each writable disk. The first also
    /// takes the RAM.
    async fn snapshot_nodes(&self) -> Result<Vec<String>> {
        let doing = "taking a snapshot";
        let drives = self.qmp("query-block", Value::Null).await?;
        let inserted = drives.as_array().into_iter().flatten();
        let inserted = inserted.filter_map(|drive| drive.get("inserted"));
        let mut nodes = Vec::new();
        for medium in inserted.filter(|medium| medium["ro"] == json!(false)) {
            if medium["drv"] != json!("qcow2") {
                let file = medium["file"].as_str().unwrap_or_default();
                let reason = format!("the disk {file} is not in the format qcow2");
                return Err(self.snapshot_error(doing, &reason));
            }
            nodes.extend(medium["node-name"].as_str().map(str::to_owned));
        }
        if nodes.is_empty() {
            return Err(self.snapshot_error(doing, "there is no writable disk to keep it on"));
        }
        Ok(nodes)
    }

    /// Has QEMU, whose guest stands still, do one of its jobs with a snapshot.
    async fn finish_job(&self, job: &str, snapshot: &Snapshot) -> Result<()> {
        let id = format!("job-{}", uuid::Uuid::new_v4().simple());
        let mut events = self.qmp_client()?.events();
        let arguments = json!({
            "job-id": id, "tag": snapshot.tag,
            "vmstate": snapshot.nodes.first(), "devices": snapshot.nodes,
        });
        self.qmp(job, arguments).await?;
        self.ask_qemu(job, async |_| {
            loop {
                let event = events.wait_for("JOB_STATUS_CHANGE").await;
                let event = event.map_err(|source| monitor_error(job, source))?;
                if event.data["id"] == json!(id) && event.data["status"] == json!("concluded") {
                    return Ok(());
                }
            }
        })
        .await?;
        let jobs = self.qmp("query-jobs", Value::Null).await?;
        let mut jobs = jobs.as_array().into_iter().flatten();
        let failure = jobs.find(|other| other["id"] == json!(id));
        let failure = failure.and_then(|job| job["error"].as_str().map(str::to_owned));
        self.qmp("job-dismiss", json!({ "id": id })).await?;
        match failure {
            Some(reason) => Err(self.snapshot_error(job, &reason)),
            None => Ok(()),
        }
    }

    fn snapshot_error(&self, doing: &str, reason: &str) -> crate::Error {
        self.error(ErrorKind::Snapshot {
            doing: doing.to_owned(),
            reason: reason.to_owned(),
        })
    }
}
