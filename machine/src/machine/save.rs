//! Saving a machine, and creating the disks of its clones.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Machine;
use crate::error::{ErrorKind, Result};
use crate::guest::identity::Identity;
use crate::instance::disks::{Disk, WritableDisk};
use crate::instance::save::{not_savable, template_error};
use crate::instance::saved_state::{self, SavedState, SavedVm};

/// The operation, in errors.
const SAVING: &str = "saving the machine";

impl Machine {
    /// The size of the guest's RAM in bytes.
    pub(crate) async fn ram_size(&self) -> Result<u64> {
        self.on_qemu(SAVING, async |monitors| monitors.ram_size().await).await
    }

    /// Saves devices and disks to `dir`, where the RAM is already, and ends QEMU.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable) if such a machine can never be saved.
    pub(crate) async fn save_to(&self, dir: &Path) -> Result<SavedVm> {
        self.step("saving vm", self.save_all(dir)).await
    }

    async fn save_all(&self, dir: &Path) -> Result<SavedVm> {
        self.on_qemu(SAVING, async |monitors| monitors.refuse_balloon().await)
            .await?;
        self.wait_for_idle().await?;
        let mounts = self.unmount_shares().await?;
        // The service manager reacts to that.
        self.wait_for_idle().await?;
        let macs = self.on_qemu(SAVING, async |monitors| monitors.shared_macs().await);
        let macs = macs.await?;
        let ram_size = self.ram_size().await?;

        let instance = self.instance(SAVING)?;
        let agent = instance.start_clone_agent(&self.guest).await?;
        let (shell, session) = instance.running.gate.suspend(self).await?;
        let devices = saved_state::state(dir);
        let disks = self.on_instance(&instance, SAVING, async |monitors| {
            monitors.qmp("stop", Value::Null).await?;
            let disks = monitors.writable_disks().await?;
            let disks = disks.iter().map(|disk| self.own_disk(disk));
            let disks = disks.collect::<Result<Vec<Disk>, ErrorKind>>()?;
            monitors.save_devices(&devices).await?;
            Ok(disks)
        });
        let disks = disks.await?;
        let qemu = instance.qmp.greeting().version.to_string();
        drop(shell);
        self.crash().await?;

        self.move_disks(&disks, dir).await?;
        let log = self.state().console_log();
        self.move_file(log, saved_state::console_log(dir)).await?;
        Ok(SavedVm {
            qemu,
            ram_size,
            session: session.to_string(),
            disks,
            mounts,
            agent,
            macs,
        })
    }

    /// Gives a clone's guest an identity and hardware addresses of its own, and a host
    /// name if there is one.
    pub(crate) async fn become_clone(&self, vm: &SavedVm, host_name: Option<&str>) -> Result<()> {
        let instance = self.instance("applying a clone's identity")?;
        let identity = Identity::cloned(&vm.mounts, host_name);
        let agent = vm.agent.as_deref();
        instance
            .apply_identity(&self.guest, agent, &identity)
            .await?;
        if vm.macs.is_empty() {
            return Ok(());
        }
        self.replace_macs(&vm.macs).await
    }

    /// Creates the machine's disks as copies of the saved overlays.
    pub(super) async fn create_disks(&self, saved: &SavedState) -> Result<()> {
        let disks = saved.vm().into_iter().flat_map(|vm| &vm.disks);
        for Disk { name, .. } in disks {
            let overlay = saved.dir.join(saved_state::overlay_name(name));
            let copied = tokio::fs::copy(&overlay, self.state_dir().join(name)).await;
            copied.map_err(|source| self.file_error(overlay, source))?;
        }
        Ok(())
    }

    /// A disk, which must be an image in the machine's own directory that can be a backing
    /// file.
    fn own_disk(&self, disk: &WritableDisk) -> Result<Disk, ErrorKind> {
        let WritableDisk { file, size, .. } = disk;
        if !disk.is_qcow2 {
            return Err(not_savable(format!(
                "its disk {file} is not in the format qcow2"
            )));
        }
        let state = self.state_dir();
        let path = state.join(file);
        if !path.exists() {
            let reason = format!("its disk {file} is a temporary one of QEMU's (snapshot=on)");
            return Err(not_savable(reason));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        match (path.parent(), name) {
            (Some(parent), Some(name)) if parent == state || parent == state.join(".") => {
                Ok(Disk {
                    name: name.to_owned(),
                    size: *size,
                })
            }
            _ => Err(not_savable(format!(
                "its disk {file} is not the machine's own"
            ))),
        }
    }

    /// Moves the disks to `dir`, and creates an empty overlay on each.
    async fn move_disks(&self, disks: &[Disk], dir: &Path) -> Result<()> {
        for Disk { name, size } in disks {
            let base = saved_state::base_name(name);
            self.move_file(self.state_dir().join(name), dir.join(&base))
                .await?;
            let mut command = tokio::process::Command::new("qemu-img");
            command.args(["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b"]);
            command
                .arg(dir.join(&base))
                .arg(saved_state::overlay_name(name))
                .arg(size.to_string());
            let output = command.current_dir(dir).output().await;
            let failure = match output {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => error.to_string(),
            };
            let kind = template_error("saving a disk", format!("qemu-img: {failure}"));
            return Err(self.error(kind));
        }
        Ok(())
    }

    /// Moves a file; copies it if it is on another file system.
    async fn move_file(&self, from: PathBuf, to: PathBuf) -> Result<()> {
        let moved = match tokio::fs::rename(&from, &to).await {
            Ok(()) => Ok(()),
            Err(_) => tokio::fs::copy(&from, &to).await.map(drop),
        };
        moved.map_err(|source| self.file_error(to, source))
    }

    fn file_error(&self, path: PathBuf, source: io::Error) -> crate::error::Error {
        self.error(ErrorKind::HostFile { path, source })
    }
}
