//! The jobs by which QEMU writes a snapshot to its disk images and loads it.

use serde_json::{Value, json};

use super::{Monitors, monitor_error};
use crate::error::{ErrorKind, Result};

/// The names of a snapshot and of the block nodes that hold it.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotNodes {
    pub(crate) tag: String,
    /// One for each writable disk. The first one also holds the RAM.
    pub(crate) nodes: Vec<String>,
}

impl Monitors<'_> {
    /// The nodes for a new snapshot.
    pub(crate) async fn snapshot_nodes(&self) -> Result<SnapshotNodes, ErrorKind> {
        let doing = "taking a snapshot";
        let disks = self.writable_disks().await?;
        if let Some(disk) = disks.iter().find(|disk| !disk.is_qcow2) {
            let reason = format!("the disk {} is not in the format qcow2", disk.file);
            return Err(snapshot_error(doing, reason));
        }
        if disks.is_empty() {
            return Err(snapshot_error(
                doing,
                "there is no writable disk to store it on",
            ));
        }
        Ok(SnapshotNodes {
            tag: format!("vm-{}", uuid::Uuid::new_v4().simple()),
            nodes: disks.into_iter().map(|disk| disk.node).collect(),
        })
    }

    /// Runs a snapshot job while the guest is stopped. `then` runs before the guest
    /// continues, if the job succeeded.
    pub(crate) async fn run_job(
        &self,
        job: &str,
        snapshot: &SnapshotNodes,
        then: impl FnOnce(),
    ) -> Result<(), ErrorKind> {
        self.qmp("stop", Value::Null).await?;
        let done = self.finish_job(job, snapshot).await;
        if done.is_ok() {
            then();
        }
        self.qmp("cont", Value::Null).await?;
        done
    }

    async fn finish_job(&self, job: &str, snapshot: &SnapshotNodes) -> Result<(), ErrorKind> {
        let id = format!("job-{}", uuid::Uuid::new_v4().simple());
        let mut events = self.instance.qmp.events();
        let arguments = json!({
            "job-id": id, "tag": snapshot.tag,
            "vmstate": snapshot.nodes.first(), "devices": snapshot.nodes,
        });
        self.qmp(job, arguments).await?;
        let concluded = async {
            loop {
                let event = events.wait_for("JOB_STATUS_CHANGE").await;
                let event = event.map_err(|source| monitor_error(job, source))?;
                if event.data["id"] == json!(id) && event.data["status"] == json!("concluded") {
                    return Ok(());
                }
            }
        };
        self.answer(job, concluded).await?;
        let jobs = self.qmp("query-jobs", Value::Null).await?;
        let mut jobs = jobs.as_array().into_iter().flatten();
        let failure = jobs.find(|other| other["id"] == json!(id));
        let failure = failure.and_then(|job| job["error"].as_str().map(str::to_owned));
        self.qmp("job-dismiss", json!({ "id": id })).await?;
        match failure {
            Some(reason) => Err(snapshot_error(job, reason)),
            None => Ok(()),
        }
    }
}

pub(crate) fn snapshot_error(doing: &str, reason: impl Into<String>) -> ErrorKind {
    ErrorKind::Snapshot {
        doing: doing.to_owned(),
        reason: reason.into(),
    }
}
