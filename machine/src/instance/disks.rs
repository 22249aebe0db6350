//! The disks of a running QEMU.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Monitors;
use crate::error::{ErrorKind, Result};

/// A disk that the guest can write to.
pub(crate) struct WritableDisk {
    /// QEMU's name of its block node.
    pub(crate) node: String,
    /// Its file name as given to QEMU.
    pub(crate) file: String,
    pub(crate) is_qcow2: bool,
    /// In bytes, as the guest sees it.
    pub(crate) size: u64,
}

/// A saved disk, in the format qcow2.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// Its file name in the machine's state directory.
    pub(crate) name: String,
    /// In bytes, as the guest sees it.
    pub(crate) size: u64,
}

impl Monitors<'_> {
    pub(crate) async fn writable_disks(&self) -> Result<Vec<WritableDisk>, ErrorKind> {
        let drives = self.qmp("query-block", Value::Null).await?;
        let drives = drives.as_array().into_iter().flatten();
        let media = drives.filter_map(|drive| drive.get("inserted"));
        let writable = media.filter(|medium| medium["ro"] == json!(false));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let disks = writable.map(|medium| WritableDisk {
            node: text(&medium["node-name"]),
            file: text(&medium["image"]["filename"]),
            is_qcow2: medium["drv"] == json!("qcow2"),
            size: medium["image"]["virtual-size"].as_u64().unwrap_or(0),
        });
        Ok(disks.collect())
    }
}
