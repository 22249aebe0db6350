//! Saving a machine.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::disks::{move_disks, own_disk};
use super::errors::not_savable;
use super::network_info::shared_macs;
use super::saved_state::{self, Disk, SavedVm};
use super::{Instance, Monitors, migration, refusal};
use crate::error::{ErrorKind, Result};
use crate::guest::Guest;
use crate::guest::parse::mounts::Mount;
use crate::host::files::{host_file_error, move_file};

/// The operation, in errors.
const SAVING: &str = "saving the machine";

/// How long to wait for the last output of a QEMU that has exited.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

/// The tag of the share from which NixOS guests run their programs.
const NIX_STORE: &str = "nix-store";

impl Instance {
    /// Checks that a machine can be saved, whose guest was not started yet: a device or
    /// disk may prevent that. Returns the size of the guest's RAM in bytes.
    pub(crate) async fn try_to_save(&self, guest: &Guest) -> Result<u64> {
        let trial = guest.state_dir().join("trial");
        self.request(guest, SAVING, async |monitors| {
            monitors.refuse_devices().await?;
            monitors.own_disks(guest.state_dir()).await?;
            monitors.save_devices(&trial).await?;
            monitors.ram_size().await
        })
        .await
    }

    /// Saves devices and disks to `dir`, where the RAM is already, and ends QEMU.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable) if such a machine can never be saved.
    pub(crate) async fn save_to(&self, guest: &Guest, dir: &Path) -> Result<SavedVm> {
        let ram_size = self.request(guest, SAVING, async |monitors| {
            monitors.refuse_devices().await?;
            monitors.ram_size().await
        });
        let ram_size = ram_size.await?;
        let (mounts, macs) = if guest.has_shell() {
            self.prepare_guest(guest).await?
        } else {
            Default::default()
        };
        let _unplugged = self.lock_start_port(guest, SAVING).await?;
        let agent = self.start_clone_agent(guest).await?;
        let (lock, session) = self.running.gate.suspend(guest).await?;
        let devices = saved_state::state(dir);
        let disks = self.request(guest, SAVING, async |monitors| {
            monitors.qmp("stop", Value::Null).await?;
            let disks = monitors.own_disks(guest.state_dir()).await?;
            monitors.save_devices(&devices).await?;
            Ok(disks)
        });
        let disks = disks.await?;
        drop(lock);
        self.crash(guest).await?;
        let console = &self.running.lifetime.console;
        let _ = timeout(LAST_OUTPUT, console.closed()).await;
        let screen = console.screen_state();

        let moved = async {
            move_disks(&disks, guest.state_dir(), dir).await?;
            let (log, saved) = (guest.state().console_log(), saved_state::console_log(dir));
            move_file(&log, &saved)
                .await
                .map_err(host_file_error(&saved))
        };
        moved.await.map_err(|kind| guest.error(kind))?;
        Ok(SavedVm {
            qemu: self.qmp.greeting().version.to_string(),
            ram_size,
            session: session.map(|session| session.to_string()),
            disks,
            mounts,
            agent,
            screen,
            macs,
        })
    }

    /// Has a guest become idle and give up what a clone can't have. Returns its shares and
    /// the hardware addresses that clones replace.
    async fn prepare_guest(&self, guest: &Guest) -> Result<(Vec<Mount>, Vec<String>)> {
        guest.wait_for_idle().await?;
        let mounts = guest.unmount_shares().await?;
        // The service manager reacts to that.
        guest.wait_for_idle().await?;
        let macs = self.request(guest, SAVING, async |monitors| monitors.shared_macs().await);
        let macs = macs.await?;
        let missing = guest.missing_programs(!macs.is_empty()).await?;
        if missing.is_empty() {
            return Ok((mounts, macs));
        }
        let missing = missing.join(", ");
        Err(guest.error(not_savable(format!(
            "programs are missing in the guest that set the identity of a clone: {missing}"
        ))))
    }
}

impl Monitors<'_> {
    /// The size of the guest's RAM in bytes.
    async fn ram_size(&self) -> Result<u64, ErrorKind> {
        let summary = self.qmp("query-memory-size-summary", Value::Null).await?;
        summary["base-memory"].as_u64().ok_or_else(|| {
            not_savable(format!(
                "QEMU does not report the size of its RAM: {summary}"
            ))
        })
    }

    /// Fails if the guest has a balloon: QEMU frees the RAM that it gives back in the
    /// RAM's file, which clones share, and they would read zeros.
    async fn refuse_balloon(&self) -> Result<(), ErrorKind> {
        match self.qmp("query-balloon", Value::Null).await {
            Ok(_) => Err(not_savable(
                "virtio-balloon is attached; it would free RAM shared by clones",
            )),
            Err(kind) if refusal(&kind).is_some() => Ok(()),
            Err(kind) => Err(kind),
        }
    }

    /// The disks, which must be the machine's own.
    async fn own_disks(&self, state: &Path) -> Result<Vec<Disk>, ErrorKind> {
        let disks = self.writable_disks().await?;
        disks.iter().map(|disk| own_disk(disk, state)).collect()
    }

    /// Fails if the machine has a device that clones can't have, or that the guest can't give
    /// up.
    async fn refuse_devices(&self) -> Result<(), ErrorKind> {
        self.refuse_balloon().await?;
        for parent in ["/machine/peripheral", "/machine/peripheral-anon"] {
            let devices = self.qmp("qom-list", json!({ "path": parent })).await?;
            for device in devices.as_array().into_iter().flatten() {
                let kind = device["type"].as_str().unwrap_or_default();
                let kind = kind.trim_start_matches("child<").trim_end_matches('>');
                let path = format!("{parent}/{}", device["name"].as_str().unwrap_or_default());
                self.refuse_device(kind, &path).await?;
            }
        }
        Ok(())
    }

    async fn refuse_device(&self, kind: &str, path: &str) -> Result<(), ErrorKind> {
        // Its state is not QEMU's, and it needs RAM that it shares with QEMU.
        if kind.contains("vhost-user") {
            return Err(not_savable(format!(
                "its device {kind} is run by another process, whose state QEMU can't save"
            )));
        }
        if !kind.starts_with("virtio-9p") {
            return Ok(());
        }
        let tag = json!({ "path": path, "property": "mount_tag" });
        match self.qmp("qom-get", tag).await? {
            Value::String(tag) if tag == NIX_STORE => Err(not_savable(
                "its programs are on the 9p share nix-store, which it can't unmount",
            )),
            _ => Ok(()),
        }
    }

    /// The hardware addresses that must differ between clones.
    async fn shared_macs(&self) -> Result<Vec<String>, ErrorKind> {
        let info = self.hmp("listing networks", "info network").await?;
        Ok(shared_macs(&info))
    }

    /// Saves the devices of a stopped guest to a file.
    async fn save_devices(&self, file: &Path) -> Result<(), ErrorKind> {
        let saved = migration::save(self.instance, file);
        let saved = self.answer("saving the machine", saved).await;
        saved.map_err(|kind| match refusal(&kind) {
            // QEMU refuses at once if a device can't be saved.
            Some(reason) => not_savable(reason),
            None => kind,
        })
    }
}
