//! Copies through a directory that the host shares with this machine's guest alone, so
//! that no other guest can change or read them. A guest that can't mount it gets archives
//! instead: see `copy_stream.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backdoor_shell::{Command, Exit};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Guest;
use super::last_bytes::LastBytes;
use crate::error::{ErrorKind, Result, tail};
use crate::host::guest_tree::{self, LeftOut, Task};
use crate::time_scale::scaled;

/// The tag of the share.
pub(crate) const MOUNT_TAG: &str = "org.vmwright.copies";

/// Where it is mounted in the guest, out of the way of mounts on `/tmp`.
pub(crate) const MOUNT_POINT: &str = "/run/vmwright/copies";

/// The names in a transfer's directory of what is copied into the guest, and of the
/// directory with the lists of modes.
pub(super) const COPY: &str = "copy";
pub(super) const MODES: &str = "modes";

/// The time limit for removing what was copied, after the copy has failed or used up its
/// time. What is left is removed with the machine.
const CLEANUP_LIMIT: Duration = Duration::from_secs(5);

impl Guest {
    /// Runs `copy` with a new directory that host and guest both see. Everything in it has
    /// one limit, this handle's. Time spent queueing for the shell does not count: the
    /// commands before it have limits of their own.
    pub(super) async fn through_copy_dir<T>(
        &self,
        copy: impl AsyncFnOnce(&mut Transfer) -> Result<T>,
    ) -> Result<T> {
        // Booting does not count, either.
        self.connect().await?;
        let mut transfer = self.begin_transfer().await?;
        let copied = copy(&mut transfer).await;
        let short = scaled(CLEANUP_LIMIT);
        let limit = if copied.is_ok() {
            transfer.left.max(short)
        } else {
            short
        };
        self.remove_stream_dir(&transfer, limit).await;
        transfer.clean_up(limit).await;
        copied
    }

    /// A transfer in the directory for copies. By archives if the guest can't mount that,
    /// because its kernel or QEMU lacks 9p.
    async fn begin_transfer(&self) -> Result<Transfer> {
        let share = self.state().copies();
        let dir = TempDir::new_in(share).map_err(|error| self.host_file(share, error))?;
        let mut transfer = Transfer {
            dir: dir.keep(),
            stream_dir: None,
            left: self.limit(),
        };
        let begun = async {
            match self.mount_copy_dir(&mut transfer).await? {
                Some(printed) => self.make_stream_dir(&mut transfer, printed).await,
                None => Ok(()),
            }
        };
        match begun.await {
            Ok(()) => Ok(transfer),
            Err(error) => {
                transfer.clean_up(scaled(CLEANUP_LIMIT)).await;
                Err(error)
            }
        }
    }

    /// Mounts the directory for copies, or returns what the guest's programs print if it can't.
    async fn mount_copy_dir(&self, transfer: &mut Transfer) -> Result<Option<Vec<String>>> {
        let script = self
            .script("mounting the share")
            .set("tag", MOUNT_TAG)?
            .set("share", MOUNT_POINT)?
            .set("dir", &transfer.guest_path(""))?
            .append(include_str!("mount_copy_dir.sh"))
            .into_text();
        let (exit, output) = self.guest_half(&mut transfer.left, &script).await?;
        match exit {
            exit if exit.success() => Ok(None),
            exit if exit.is_timeout() => self.copy_timed_out("the share to be mounted").await,
            _ => Ok(Some(tail(output.as_ref()))),
        }
    }

    /// Runs the guest's half of a copy that has this much time left. Returns the end of
    /// its output, of which a guest may produce any amount.
    pub(super) async fn guest_half(
        &self,
        left: &mut Duration,
        script: &str,
    ) -> Result<(Exit, LastBytes)> {
        let mut output = LastBytes::default();
        let command = Command::new(format!("exec 2>&1; {script}")).timeout(*left);
        let (exit, took) = self.run_into(command, &mut output).await?;
        *left = left.saturating_sub(took);
        Ok((exit, output))
    }

    /// The error of a guest's half of a copy that timed out.
    pub(super) async fn copy_timed_out<T>(&self, what: &str) -> Result<T> {
        let running = self.running(what)?;
        let seen = "the guest is still copying";
        let timed_out = running.lifetime.timed_out(self.limit(), what, 1, seen);
        self.with_diagnosis(&running.lifetime, Err(timed_out)).await
    }

    /// Runs the host's half of a copy, to or from the host's file `path`. The guest's death
    /// ends it.
    pub(super) async fn host_half<T>(
        &self,
        path: &Path,
        half: impl Future<Output = Result<T, Stopped>>,
    ) -> Result<T> {
        let doing = format!("copying {}", path.display());
        let running = self.running(&doing)?;
        let half = async {
            half.await.map_err(|stopped| match stopped {
                Stopped::Failed(source) => ErrorKind::HostFile {
                    path: path.to_owned(),
                    source,
                },
                Stopped::TimedOut(so_far) => {
                    let what = format!("{} to be copied", path.display());
                    let lifetime = &running.lifetime;
                    lifetime.timed_out(self.limit(), &what, 1, &so_far)
                }
            })
        };
        self.until_guest_end(&running.lifetime, &doing, half).await
    }
}

/// A directory in the share for one copy. It is removed when the copy ends; if its future
/// is dropped, with the machine.
pub(super) struct Transfer {
    pub(super) dir: PathBuf,
    /// The directory in the guest, if it can't mount a share.
    pub(super) stream_dir: Option<String>,
    /// The time left for all parts of the copy together.
    pub(super) left: Duration,
}

impl Transfer {
    /// The guest's path of `name` in it.
    pub(super) fn guest_path(&self, name: &str) -> String {
        if let Some(dir) = &self.stream_dir {
            return format!("{dir}/{name}");
        }
        let dir = self.dir.file_name().unwrap_or_default();
        format!("{MOUNT_POINT}/{}/{name}", dir.to_string_lossy())
    }

    pub(super) async fn copy_in(&mut self, source: &Path) -> Result<(), Stopped> {
        let (dir, source) = (self.dir.clone(), source.to_owned());
        self.run_within_budget(move |task| {
            let modes = guest_tree::copy_in(&source, &dir, COPY.as_ref(), task)?;
            guest_tree::write_modes(&modes, &dir, MODES.as_ref(), task)
        })
        .await
    }

    pub(super) async fn copy_out(&mut self, name: &str, target: &Path) -> Result<LeftOut, Stopped> {
        let (dir, target) = (self.dir.clone(), target.to_owned());
        let name = PathBuf::from(name);
        self.run_within_budget(move |task| guest_tree::copy_out(&dir, &name, &target, task))
            .await
    }

    pub(super) async fn run_within_budget<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Task) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let start = Instant::now();
        let done = run_within(self.left, work).await;
        self.left = self.left.saturating_sub(start.elapsed());
        done
    }

    async fn clean_up(self, limit: Duration) {
        let dir = self.dir.clone();
        let removed = run_within(limit, move |task| guest_tree::remove(&dir, task));
        let why = match removed.await {
            Ok(()) => return,
            Err(Stopped::Failed(error)) => error.to_string(),
            Err(Stopped::TimedOut(_)) => format!("it takes more than {limit:?}"),
        };
        let dir = self.dir.display();
        tracing::warn!(%dir, why, "the copy is removed with the machine, not now");
    }
}

/// Why work with files failed.
#[derive(Debug)]
pub(super) enum Stopped {
    Failed(io::Error),
    /// With the amount of work done.
    TimedOut(String),
}

/// Runs blocking work on a thread for it. It is cancelled after `limit`, and when this
/// future is dropped: a guest that creates files without end would keep it busy for ever.
async fn run_within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&Task) -> io::Result<T> + Send + 'static,
) -> Result<T, Stopped> {
    let task = Arc::new(Task::default());
    let _cancel = task.cancellation().clone().drop_guard();
    let worked = {
        let task = Arc::clone(&task);
        spawn_blocking(move || work(&task))
    };
    match timeout(limit, worked).await {
        Ok(Ok(result)) => result.map_err(Stopped::Failed),
        // It does not panic, so the runtime is shutting down.
        Ok(Err(error)) => Err(Stopped::Failed(io::Error::other(error))),
        Err(_) => Err(Stopped::TimedOut(task.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Work without an end, and a notification of its end.
    fn endless() -> (impl FnOnce(&Task) -> io::Result<()> + Send, Receiver<()>) {
        let (end, ended) = channel();
        let work = move |task: &Task| {
            while !task.cancellation().is_cancelled() {
                std::thread::yield_now();
            }
            end.send(()).map_err(io::Error::other)
        };
        (work, ended)
    }

    #[tokio::test]
    async fn endless_work_is_cancelled() {
        let (work, ended) = endless();
        let Err(Stopped::TimedOut(so_far)) = run_within(Duration::from_millis(1), work).await
        else {
            panic!("it ended");
        };
        assert_eq!(so_far, "0 files copied, 0 bytes in total");
        ended.recv().unwrap();
    }

    /// An I/O error of this kind is not our own limit.
    #[tokio::test]
    async fn a_time_out_of_the_host_is_an_io_error() {
        let failed = run_within(Duration::MAX, |_| {
            Err::<(), _>(io::ErrorKind::TimedOut.into())
        });
        assert!(matches!(failed.await, Err(Stopped::Failed(_))));
    }

    #[tokio::test]
    async fn abandoned_work_is_cancelled() {
        let (work, ended) = endless();
        let never = run_within(Duration::MAX, work);
        assert!(timeout(Duration::from_millis(1), never).await.is_err());
        ended.recv().unwrap();
    }
}
