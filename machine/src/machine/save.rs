//! Saving a machine, and going on where it was saved.

use std::path::Path;

use backdoor_shell::Session;
use serde_json::{Value, json};

use crate::error::{ErrorKind, Result};
use crate::guest::commands::shell_error;
use crate::guest::parse::mounts::mounts;
use crate::instance::migration;
use crate::instance::saved_state::{self, Contents, Disk, Mount, Saved};
use crate::machine::monitor::monitor_error;
use crate::machine::{Machine, Running};

/// Unmounts 9p shares, which QEMU can't save, and tells which they were, but for those
/// that the guest mounts by itself when somebody looks. An error names the one that
/// stays, as do the others then.
const UNMOUNT_SHARES: &str = r#"
    unmounted=()
    while read -r source dir type options _; do
        [[ $type == 9p ]] || continue
        escaped=$dir dir=$(printf %b "$dir")
        if ! umount "$dir"; then
            for ((i = 0; i < ${#unmounted[@]}; i += 3)); do
                mount -t 9p -o "${unmounted[i + 2]}" "${unmounted[@]:i:2}"
            done
            echo "$dir"
            exit 1
        fi
        [[ $(</proc/mounts) != *" $escaped autofs "* ]] || continue
        unmounted+=("$(printf %b "$source")" "$dir" "$options")
        echo "$source $escaped $type $options"
    done </proc/mounts
    sync
"#;

impl Machine {
    /// How much RAM the guest has, in bytes.
    pub(crate) async fn ram_size(&self) -> Result<u64> {
        let summary = self.qmp("query-memory-size-summary", Value::Null).await?;
        summary["base-memory"].as_u64().ok_or_else(|| {
            self.not_savable(format!("QEMU does not tell its RAM's size: {summary}"))
        })
    }

    /// Saves devices and disks to `dir`, where the RAM is already, and ends QEMU.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable) if such a machine never can be.
    pub(crate) async fn save_to(&self, dir: &Path) -> Result<Contents> {
        self.step("saving vm", self.save_all(dir)).await
    }

    async fn save_all(&self, dir: &Path) -> Result<Contents> {
        let doing = "saving the machine";
        let running = self.running(doing)?;
        self.refuse_balloon().await?;
        self.wait_for_rest().await?;
        let mounts = self.unmount_shares().await?;
        // systemd, say, has something to do about that, too.
        self.wait_for_rest().await?;
        let macs = self.shared_network_macs().await?;
        let ram_size = self.ram_size().await?;

        let waiter = self.start_waiter().await?;

        // From here on nobody else talks to the guest.
        let shell = self.turn(&running).await;
        let mut shell = shell.map_err(|kind| self.error(kind))?;
        let suspended = shell.suspend().await;
        let session = suspended.map_err(|source| self.error(shell_error(&running, source)))?;
        self.qmp("stop", Value::Null).await?;
        let disks = self.writable_disks().await?;
        self.save_devices(&saved_state::state(dir)).await?;
        let qemu = running.qmp.greeting().version.to_string();
        drop(shell);
        self.crash().await?;

        self.keep_disks(&disks, dir).await?;
        let log = self.parts.state.console_log();
        self.keep(&log, &saved_state::console_log(dir))?;
        Ok(Contents {
            qemu,
            ram_size,
            session: session.to_string(),
            disks,
            mounts,
            waiter,
            macs,
        })
    }

    /// Gives the machine disks of its own on top of those that were saved.
    pub(crate) fn place_disks(&self, saved: &Saved) -> Result<()> {
        let contents = saved.contents();
        for Disk { name, .. } in contents.into_iter().flat_map(|contents| &contents.disks) {
            let overlay = saved.dir.join(saved_state::overlay_name(name));
            let copied = std::fs::copy(&overlay, self.parts.state.path().join(name));
            copied.map_err(|source| {
                self.error(ErrorKind::HostFile {
                    path: overlay,
                    source,
                })
            })?;
        }
        Ok(())
    }

    /// Has a QEMU that waits for it take up what was saved, and its guest go on.
    pub(crate) async fn load(&self, running: &Running, saved: &Saved) -> Result<()> {
        let doing = "going on from a template";
        let contents = saved.contents().cloned().unwrap_or_default();
        let version = running.qmp.greeting().version.to_string();
        if version != contents.qemu {
            let reason = format!("QEMU {} saved it, and this is {version}", contents.qemu);
            return Err(self.template_error(doing, reason));
        }
        let session: Session = contents
            .session
            .parse()
            .map_err(|error| self.template_error(doing, format!("{error}")))?;
        let socket = self.parts.state.sockets().migration;
        let devices = saved.state();
        let loaded = self.in_time(running, "QEMU to go on from a template", async {
            migration::load(running, &devices, &socket).await?;
            running.shell.lock().await.resume(session);
            running.is_connected.send_replace(true);
            let go_on = running.qmp.execute("cont", Value::Null).await;
            go_on
                .map(drop)
                .map_err(|source| monitor_error(doing, source))
        });
        match running.qemu.or_exit(doing, loaded).await {
            Ok(()) => Ok(()),
            // So ends a QEMU that does not like what it is given; not one that is killed.
            Err(ErrorKind::Exited { status, stderr, .. }) if status.code().is_some() => {
                let reason = format!("QEMU has ended ({status}): {}", stderr.join("; "));
                Err(self.template_error(doing, reason))
            }
            Err(kind) => Err(self.error(kind)),
        }
    }

    pub(crate) async fn unmount_shares(&self) -> Result<Vec<Mount>> {
        let output = self.execute(UNMOUNT_SHARES).await?;
        if !output.success() {
            let dir = output.text();
            let dir = dir.lines().last().unwrap_or("?").to_owned();
            let dir = serial_log::printable(&dir);
            return Err(self.not_savable(format!("the guest holds the 9p share mounted at {dir}")));
        }
        Ok(mounts(&output.text()))
    }

    /// The disks that the guest can write to; they must be images of the machine's
    /// own that can have others on top.
    async fn writable_disks(&self) -> Result<Vec<Disk>> {
        let drives = self.qmp("query-block", Value::Null).await?;
        let inserted = drives.as_array().into_iter().flatten();
        let inserted = inserted.filter_map(|drive| drive.get("inserted"));
        let writable = inserted.filter(|medium| medium["ro"] == json!(false));
        writable.map(|medium| self.own_disk(medium)).collect()
    }

    fn own_disk(&self, medium: &Value) -> Result<Disk> {
        let file = medium["image"]["filename"].as_str().unwrap_or_default();
        if medium["drv"] != json!("qcow2") {
            return Err(self.not_savable(format!("its disk {file} is not in the format qcow2")));
        }
        let state = self.parts.state.path();
        let path = state.join(file);
        if !path.exists() {
            let reason = format!("its disk {file} is a temporary one of QEMU's (snapshot=on)");
            return Err(self.not_savable(reason));
        }
        match (
            path.parent(),
            path.file_name().and_then(|name| name.to_str()),
        ) {
            (Some(parent), Some(name)) if parent == state || parent == state.join(".") => {
                Ok(Disk {
                    name: name.to_owned(),
                    size: medium["image"]["virtual-size"].as_u64().unwrap_or(0),
                })
            }
            _ => Err(self.not_savable(format!("its disk {file} is not the machine's own"))),
        }
    }

    /// What a guest gives back by a balloon, QEMU frees in the RAM's file, which clones share:
    /// they would find zeros there.
    async fn refuse_balloon(&self) -> Result<()> {
        match self.qmp("query-balloon", Value::Null).await {
            Ok(_) => Err(self.not_savable("it has a balloon, by which clones free RAM they share")),
            Err(error) if refusal(&error).is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn save_devices(&self, file: &Path) -> Result<()> {
        let socket = self.parts.state.sockets().migration;
        let saved = self.ask_qemu("saving the machine", async |running| {
            migration::save(running, file, &socket).await
        });
        saved.await.map_err(|error| match refusal(&error) {
            // At once, if a device can't be saved.
            Some(reason) => self.not_savable(reason),
            None => error,
        })
    }

    /// Moves the disks to `dir`, and makes an empty image on top of each.
    async fn keep_disks(&self, disks: &[Disk], dir: &Path) -> Result<()> {
        for Disk { name, size } in disks {
            let base = saved_state::base_name(name);
            self.keep(&self.parts.state.path().join(name), &dir.join(&base))?;
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
            return Err(self.template_error("saving a disk", format!("qemu-img: {failure}")));
        }
        Ok(())
    }

    /// Moves a file of the machine's.
    fn keep(&self, from: &Path, to: &Path) -> Result<()> {
        let moved = std::fs::rename(from, to).or_else(|_| std::fs::copy(from, to).map(drop));
        moved.map_err(|source| {
            self.error(ErrorKind::HostFile {
                path: to.to_owned(),
                source,
            })
        })
    }

    pub(crate) fn not_savable(&self, reason: impl Into<String>) -> crate::Error {
        self.error(ErrorKind::NotSavable {
            reason: reason.into(),
        })
    }

    pub(crate) fn template_error(&self, doing: &str, reason: impl Into<String>) -> crate::Error {
        self.error(ErrorKind::Template {
            doing: doing.to_owned(),
            reason: reason.into(),
        })
    }
}

/// What QEMU says if it refuses to do what it was told.
fn refusal(error: &crate::Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::Monitor {
            source: qmp_mon::Error::Qmp { desc, .. },
            ..
        } => Some(desc),
        _ => None,
    }
}
