//! Copies in a guest that can't mount the share: tar archives through the root shell, between
//! the transfer's directory on the host and one in the guest.

use std::path::Path;
use std::time::{Duration, Instant};

use backdoor_shell::Command;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::Guest;
use super::copy_dir::Transfer;
use crate::error::{ErrorKind, Result, tail};
use crate::host::guest_tree::{pack, unpack};

/// The operation, in errors.
const COPYING: &str = "copying a file through the shell";

const MAKE_DIR: &str = include_str!("make_stream_dir.sh");

impl Guest {
    /// Makes the guest's directory of a transfer that can't use the share, for the reason
    /// that the guest's programs have `printed`.
    pub(super) async fn make_stream_dir(
        &self,
        transfer: &mut Transfer,
        printed: Vec<String>,
    ) -> Result<()> {
        let script = self.script(COPYING).append(MAKE_DIR).into_text();
        let (exit, output) = self.guest_half(&mut transfer.left, &script).await?;
        let output = String::from_utf8_lossy(output.as_ref()).into_owned();
        let dir = output.trim_end();
        if exit.is_timeout() {
            return self.copy_timed_out("a directory for copies").await;
        }
        if !exit.success() || !dir.starts_with('/') {
            let output = [printed, tail(output.as_bytes())].concat();
            return Err(self.error(ErrorKind::Share { output }));
        }
        transfer.stream_dir = Some(dir.to_owned());
        Ok(())
    }

    /// Sends what was copied to the host's directory of a transfer, unless it is shared.
    pub(super) async fn send(&self, source: &Path, transfer: &mut Transfer) -> Result<()> {
        let Some(dir) = transfer.stream_dir.clone() else {
            return Ok(());
        };
        let packed = transfer.run_within_budget({
            let from = transfer.dir.clone();
            move |task| pack(&from, task)
        });
        let archive = self.host_half(source, packed).await?;
        let mut archive = tokio::fs::File::from_std(archive);
        let target = format!("{dir}/archive.tar");
        let took = self
            .write_via_shell(COPYING, &target, &mut archive, transfer.left)
            .await?;
        transfer.left = transfer.left.saturating_sub(took);
        let script = self
            .script(COPYING)
            .set("dir", &dir)?
            .append(include_str!("unpack_archive.sh"));
        let script = script.into_text();
        let from = source.to_string_lossy();
        let unpacked = self.copy_in_guest(&mut transfer.left, &script, &from, &dir);
        unpacked.await.map(drop)
    }

    /// Receives `name` from the guest's directory of a transfer, unless it is shared.
    pub(super) async fn receive(
        &self,
        name: &str,
        target: &Path,
        transfer: &mut Transfer,
    ) -> Result<()> {
        let Some(dir) = transfer.stream_dir.clone() else {
            return Ok(());
        };
        let share = self.state().copies();
        let file = tempfile::tempfile_in(share).map_err(|error| self.host_file(share, error))?;
        let copy = file
            .try_clone()
            .map_err(|error| self.host_file(share, error))?;
        let source = format!("./{name}");
        let tar = ["tar", "-C", &dir, "-cf", "-", "--", &source];
        let tar = self.command_line(COPYING, tar)?;
        let command = Command::new(tar).timeout(transfer.left);
        let mut archive = tokio::fs::File::from_std(file);
        let (exit, took) = self.run_into(command, &mut archive).await?;
        transfer.left = transfer.left.saturating_sub(took);
        let flushed = archive.flush().await;
        flushed.map_err(|error| self.host_file(share, error))?;
        if exit.is_timeout() {
            return self.copy_timed_out(&format!("{name} to be copied")).await;
        }
        if !exit.success() {
            return Err(self.error(ErrorKind::GuestCopy {
                from: dir,
                to: target.display().to_string(),
                output: vec!["tar has failed; see the console".to_owned()],
            }));
        }
        let unpacked = transfer.run_within_budget({
            let to = transfer.dir.clone();
            move |task| unpack(copy, &to, task)
        });
        self.host_half(target, unpacked).await
    }

    /// Removes the guest's directory of a transfer; what can't be removed stays.
    pub(super) async fn remove_stream_dir(&self, transfer: &Transfer, limit: Duration) {
        if let Some(dir) = &transfer.stream_dir
            && let Ok(remove) = self.command_line(COPYING, ["rm", "-rf", "--", dir])
        {
            let mut left = limit;
            let _ = self.guest_half(&mut left, &remove).await;
        }
    }

    /// Writes the file `target` of the guest through the root shell. Returns how long that
    /// took, without the time in the shell's queue.
    pub(super) async fn write_via_shell(
        &self,
        doing: &str,
        target: &str,
        file: &mut tokio::fs::File,
        left: Duration,
    ) -> Result<Duration> {
        let running = self.running(doing)?;
        let written = running.gate.run(self, doing, async |shell| {
            let start = Instant::now();
            let Ok(written) = timeout(left, shell.write_file(target, file)).await else {
                return Ok(None);
            };
            written.map(|_| Some(start.elapsed()))
        });
        if let Some(took) = written.await? {
            return Ok(took);
        }
        let what = format!("{target} to be written");
        let seen = "the guest does not read all of it";
        let timed_out = running.lifetime.timed_out(self.limit(), &what, 1, seen);
        self.with_diagnosis(&running.lifetime, Err(timed_out)).await
    }
}
