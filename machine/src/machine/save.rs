//! Saving a machine, and going on where it was saved.

use std::path::{Path, PathBuf};

use backdoor_shell::Session;
use serde_json::{Value, json};

use super::monitor::monitor_error;
use super::shell::shell_error;
use super::{Machine, Running};
use crate::error::{ErrorKind, Result};
use crate::parse::mounts::mounts;
use crate::saved::{self, Contents, Disk, Mount, Saved};

/// Unmounts 9p shares, which QEMU can't save, and tells which they were. An error
/// names the one that stays.
const UNMOUNT_SHARES: &str = r#"
    while read -r source dir type options _; do
        [[ $type == 9p ]] || continue
        if ! umount "$(printf %b "$dir")"; then
            echo "$dir"
            exit 1
        fi
        echo "$source $dir $type $options"
    done </proc/mounts
    sync
"#;

/// Bytes in a second: more than there ever are.
const UNLIMITED: u64 = 1 << 40;

impl Machine {
    /// How much RAM the guest has, in bytes.
    pub(crate) async fn ram_size(&self) -> Result<u64> {
        let summary = self.qmp("query-memory-size-summary", Value::Null).await?;
        summary["base-memory"].as_u64().ok_or_else(|| {
            self.not_savable(format!("QEMU does not tell its RAM's size: {summary}"))
        })
    }

    /// Saves devices and disks to `dir`, where the RAM is already, and ends QEMU.
    /// `home` is where all of it will be then.
    ///
    /// # Errors
    /// [`NotSavable`](ErrorKind::NotSavable) if such a machine never can be.
    pub(crate) async fn save_to(&self, dir: &Path, home: &Path) -> Result<Contents> {
        let doing = "saving the machine";
        let running = self.running(doing)?;
        let mounts = self.unmount_shares().await?;
        let waiter = self.start_waiter().await?;
        let macs = self.shared_network_macs().await?;
        let ram_size = self.ram_size().await?;

        // From here on nobody else talks to the guest.
        let mut shell = running.shell.lock().await;
        let suspended = shell.suspend().await;
        let session = suspended.map_err(|source| self.error(shell_error(&running, source)))?;
        self.qmp("stop", Value::Null).await?;
        let disks = self.writable_disks().await?;
        self.migrate_to(&saved::state(dir)).await?;
        let qemu = running.qmp.greeting().version.to_string();
        drop(shell);
        self.crash().await?;

        self.keep_disks(&disks, dir, home).await?;
        let log = self.parts.state.console_log();
        self.keep(&log, &saved::console_log(dir))?;
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
    pub(super) fn place_disks(&self, saved: &Saved) -> Result<()> {
        let contents = saved.contents();
        for Disk { name, .. } in contents.into_iter().flat_map(|contents| &contents.disks) {
            let overlay = saved.dir.join(saved::overlay_name(name));
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
    pub(super) async fn load(&self, running: &Running, saved: &Saved) -> Result<()> {
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
        let loaded = async {
            ignore_shared(running, true).await?;
            let uri = format!("exec:cat <{}", quoted(&saved.state())?);
            let outcome = migration(running, "migrate-incoming", &uri).await?;
            ignore_shared(running, false).await?;
            Ok(outcome)
        };
        let outcome = running.qemu.or_exit(doing, loaded).await;
        outcome
            .map_err(|kind| self.error(kind))?
            .map_err(|reason| self.template_error(doing, reason))?;
        running.shell.lock().await.resume(session);
        let go_on = running.qmp.execute("cont", Value::Null).await;
        go_on.map_err(|source| self.error(monitor_error(doing, source)))?;
        Ok(())
    }

    pub(super) async fn unmount_shares(&self) -> Result<Vec<Mount>> {
        let output = self.execute(UNMOUNT_SHARES).await?;
        if !output.success() {
            let dir = output.text();
            let dir = dir.lines().last().unwrap_or("?").to_owned();
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

    async fn migrate_to(&self, file: &Path) -> Result<()> {
        let doing = "saving the machine";
        let running = self.running(doing)?;
        let migrated = async {
            ignore_shared(&running, true).await?;
            let limits = json!({ "max-bandwidth": UNLIMITED });
            execute(&running, "migrate-set-parameters", limits).await?;
            let uri = format!("exec:cat >{}", quoted(file)?);
            migration(&running, "migrate", &uri).await
        };
        match running.qemu.or_exit(doing, migrated).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(self.template_error(doing, reason)),
            // QEMU refuses at once if a device can't be saved.
            Err(ErrorKind::Monitor {
                source: qmp_mon::Error::Qmp { desc, .. },
                ..
            }) => Err(self.not_savable(desc)),
            Err(kind) => Err(self.error(kind)),
        }
    }

    /// Moves the disks to `dir`, and makes an empty image on top of each.
    async fn keep_disks(&self, disks: &[Disk], dir: &Path, home: &Path) -> Result<()> {
        for Disk { name, size } in disks {
            let base = saved::base_name(name);
            self.keep(&self.parts.state.path().join(name), &dir.join(&base))?;
            let mut command = tokio::process::Command::new("qemu-img");
            command.args(["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b"]);
            command
                .arg(home.join(&base))
                .arg(saved::overlay_name(name))
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

/// Leaves RAM that is a file's content where it is, or does not.
async fn ignore_shared(running: &Running, ignore: bool) -> Result<(), ErrorKind> {
    let capabilities = json!({ "capabilities": [
        { "capability": "x-ignore-shared", "state": ignore },
        { "capability": "events", "state": true },
    ]});
    execute(running, "migrate-set-capabilities", capabilities).await
}

/// Begins a migration and waits for its end; gives the reason if it failed.
async fn migration(
    running: &Running,
    command: &str,
    uri: &str,
) -> Result<Result<(), String>, ErrorKind> {
    let mut events = running.qmp.events();
    execute(running, command, json!({ "uri": uri })).await?;
    loop {
        let event = events.wait_for("MIGRATION").await;
        let event = event.map_err(|source| monitor_error(command, source))?;
        match event.data["status"].as_str() {
            Some("completed") => return Ok(Ok(())),
            Some("failed" | "cancelled") => break,
            _ => {}
        }
    }
    let told = running.qmp.execute("query-migrate", Value::Null).await;
    let told = told.map_err(|source| monitor_error(command, source))?;
    let reason = told["error-desc"].as_str().map(str::to_owned);
    let stderr = running.qemu.last_stderr_lines().join("; ");
    Ok(Err(
        reason.unwrap_or(format!("the migration failed. {stderr}"))
    ))
}

async fn execute(running: &Running, command: &str, arguments: Value) -> Result<(), ErrorKind> {
    let done = running.qmp.execute(command, arguments).await;
    done.map(drop)
        .map_err(|source| monitor_error(command, source))
}

/// A path for the shell that QEMU runs.
fn quoted(path: &Path) -> Result<String, ErrorKind> {
    let quoted = path.to_str().and_then(|path| shlex::try_quote(path).ok());
    quoted.map(Into::into).ok_or_else(|| ErrorKind::Template {
        doing: "naming a file of a template to QEMU".to_owned(),
        reason: format!("{} is not UTF-8", PathBuf::from(path).display()),
    })
}
