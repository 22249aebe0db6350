//! The disks of a QEMU: listing, saving and creating them.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Value, json};

use super::Monitors;
use super::errors::{not_savable, template_error};
use super::saved_state::{self, Disk, SavedState};
use crate::error::{ErrorKind, Result};
use crate::host::files::{host_file_error, move_file};
use crate::host::qemu_img::qemu_img;

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

/// A disk as it is saved: it must be an image in the machine's own directory `state` that can
/// be a backing file.
pub(super) fn own_disk(disk: &WritableDisk, state: &Path) -> Result<Disk, ErrorKind> {
    let WritableDisk { file, size, .. } = disk;
    if !disk.is_qcow2 {
        let reason = format!("its disk {file} is not in the format qcow2");
        return Err(not_savable(reason));
    }
    let path = state.join(file);
    if !path.exists() {
        let reason = format!("its disk {file} is a temporary one of QEMU's (snapshot=on)");
        return Err(not_savable(reason));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.parent(), name) {
        (Some(parent), Some(name)) if parent == state || parent == state.join(".") => Ok(Disk {
            name: name.to_owned(),
            size: *size,
        }),
        _ => Err(not_savable(format!(
            "its disk {file} is not the machine's own"
        ))),
    }
}

/// Moves the disks from `state` to `dir`, and creates an empty overlay on each.
pub(super) async fn move_disks(disks: &[Disk], state: &Path, dir: &Path) -> Result<(), ErrorKind> {
    for Disk { name, size } in disks {
        let base = dir.join(saved_state::base_name(name));
        let moved = move_file(&state.join(name), &base).await;
        moved.map_err(host_file_error(&base))?;
        let overlay = dir.join(saved_state::overlay_name(name));
        let create = ["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b"].map(OsStr::new);
        let size = size.to_string();
        let files = [base.as_os_str(), overlay.as_os_str(), size.as_ref()];
        let created = qemu_img(create.into_iter().chain(files)).await;
        created.map_err(|error| template_error("saving a disk by qemu-img", error))?;
    }
    Ok(())
}

/// Creates disks in `state` as copies of the saved overlays.
pub(super) async fn create_disks(state: &Path, saved: &SavedState) -> Result<(), ErrorKind> {
    let disks = saved.vm().into_iter().flat_map(|vm| &vm.disks);
    for Disk { name, .. } in disks {
        let overlay = saved.dir.join(saved_state::overlay_name(name));
        let copied = tokio::fs::copy(&overlay, state.join(name)).await;
        copied.map_err(host_file_error(&overlay))?;
    }
    Ok(())
}
