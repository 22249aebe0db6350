//! The directory that host and guest share, and what is copied through it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backdoor_shell::{Command, Exit};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result, tail};
use crate::guest::last_bytes::LastBytes;
use crate::host::guest_tree::{self, LeftOut, Task};
use crate::machine::{Machine, Parts};
use crate::time_scale::scaled;

/// Where the shared directory is in the guest.
const GUEST_SHARE: &str = "/tmp/shared";

/// How what goes into the guest is called on its way, and the directory with the lists
/// of what has which mode.
pub(crate) const COPY: &str = "copy";
pub(crate) const MODES: &str = "modes";

/// How long what was copied may take to be removed when the copy's own time is up, or it
/// has failed: what stays then is removed with its machine.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

impl Machine {
    /// Copies through a new directory that host and guest both see. All that is done for
    /// it has one limit, this handle's. To wait for the shell's turn is nothing of it: the
    /// commands before it have limits of their own.
    pub(crate) async fn through_share<T>(
        &self,
        copy: impl AsyncFnOnce(&mut Passage) -> Result<T>,
    ) -> Result<T> {
        // To boot is no part of it.
        self.connect().await?;
        let share = self.shared_dir();
        let dir = TempDir::new_in(share).map_err(|error| self.host_file(share, error))?;
        let mut passage = Passage {
            dir: dir.keep(),
            is_removed: false,
            parts: Arc::clone(&self.parts),
            left: self.limit,
        };
        let copied = match self.mount_share(&mut passage).await {
            Ok(()) => copy(&mut passage).await,
            Err(error) => Err(error),
        };
        let short = scaled(LEAVE_LIMIT);
        let limit = if copied.is_ok() {
            passage.left.max(short)
        } else {
            short
        };
        passage.leave(limit).await;
        copied
    }

    async fn mount_share(&self, passage: &mut Passage) -> Result<()> {
        let inside = passage.guest_path("");
        let script = format!(
            "if [[ ! -d {inside} ]]; then
                mkdir -p {GUEST_SHARE}
                modprobe -a 9p 9pnet_virtio || :
                mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared {GUEST_SHARE}
            fi
            [[ -d {inside} ]]"
        );
        let (exit, output) = self.guest_half(&mut passage.left, &script).await?;
        match exit {
            Exit::Status(0) => Ok(()),
            Exit::TimedOut => Err(self.copy_timed_out("the share to be mounted")),
            Exit::Status(_) => Err(self.error(ErrorKind::Share {
                output: tail(output.as_ref()),
            })),
        }
    }

    /// What the guest's half of a copy comes to that has so much time left, with the last
    /// of what it prints: a guest may have that be any amount.
    pub(crate) async fn guest_half(
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

    /// The guest's half of a copy was waited for in vain.
    pub(crate) fn copy_timed_out(&self, what: &str) -> Error {
        self.error(ErrorKind::TimedOut {
            what: what.to_owned(),
            waited: self.limit,
            looks: 1,
            last_seen: "the guest is still at it".to_owned(),
            console: self.last_console_lines(),
        })
    }

    /// What the host's half of a copy comes to, of which `path` is the host's file. It
    /// needs no guest, but is for one: its end ends it.
    pub(crate) async fn host_half<T>(
        &self,
        path: &Path,
        half: impl Future<Output = Result<T, Stopped>>,
    ) -> Result<T> {
        let doing = format!("copying {}", path.display());
        self.on_guest(&doing, async |running| {
            half.await.map_err(|stopped| match stopped {
                Stopped::Failed(source) => ErrorKind::HostFile {
                    path: path.to_owned(),
                    source,
                },
                Stopped::TimeIsUp(so_far) => {
                    let what = format!("{} to be copied", path.display());
                    self.timed_out(running, &what, 1, &so_far)
                }
            })
        })
        .await
    }
}

/// A directory in the share, for one copy. It is removed when that ends; if nobody waits
/// for that, with its machine.
pub(crate) struct Passage {
    dir: PathBuf,
    is_removed: bool,
    parts: Arc<Parts>,
    /// How much is left of the time that all parts of the copy may take together.
    pub(crate) left: Duration,
}

impl Passage {
    /// Where `name` in it is for the guest. But for that, a shell need not have it quoted.
    pub(crate) fn guest_path(&self, name: &str) -> String {
        let dir = self.dir.file_name().unwrap_or_default();
        format!("{GUEST_SHARE}/{}/{name}", dir.to_string_lossy())
    }

    pub(crate) async fn copy_in(&mut self, source: &Path) -> Result<(), Stopped> {
        let (dir, source) = (self.dir.clone(), source.to_owned());
        self.spend(move |task| {
            let modes = guest_tree::copy_in(&source, &dir, COPY.as_ref(), task)?;
            guest_tree::write_modes(&modes, &dir, MODES.as_ref(), task)
        })
        .await
    }

    pub(crate) async fn copy_out(&mut self, name: &str, target: &Path) -> Result<LeftOut, Stopped> {
        let (dir, target) = (self.dir.clone(), target.to_owned());
        let name = PathBuf::from(name);
        self.spend(move |task| guest_tree::copy_out(&dir, &name, &target, task))
            .await
    }

    async fn spend<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Task) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let begin = Instant::now();
        let done = within(self.left, work).await;
        self.left = self.left.saturating_sub(begin.elapsed());
        done
    }

    async fn leave(mut self, limit: Duration) {
        let dir = self.dir.clone();
        let removed = within(limit, move |task| guest_tree::remove(&dir, task));
        let why = match removed.await {
            Ok(()) => {
                self.is_removed = true;
                return;
            }
            Err(Stopped::Failed(error)) => error.to_string(),
            Err(Stopped::TimeIsUp(_)) => format!("it takes more than {limit:?}"),
        };
        let dir = self.dir.display();
        tracing::warn!(%dir, why, "what a guest shared stays there until its machine goes");
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.is_removed {
            let dir = std::mem::take(&mut self.dir);
            self.parts.state.leave_in_share(dir);
        }
    }
}

/// Why what was to be done with files came to nothing.
#[derive(Debug)]
pub(crate) enum Stopped {
    Failed(io::Error),
    /// With what was done by then.
    TimeIsUp(String),
}

/// Does what takes a while, where that holds nobody up. It is given up after `limit`, and
/// when nobody waits for it any more: a guest that goes on to make files would have it
/// go on for ever.
async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&Task) -> io::Result<T> + Send + 'static,
) -> Result<T, Stopped> {
    let task = Arc::new(Task::default());
    let _give_up = task.given_up().clone().drop_guard();
    let worked = {
        let task = Arc::clone(&task);
        spawn_blocking(move || work(&task))
    };
    match timeout(limit, worked).await {
        Ok(Ok(result)) => result.map_err(Stopped::Failed),
        // It does not panic; the runtime is going down.
        Ok(Err(error)) => Err(Stopped::Failed(io::Error::other(error))),
        Err(_) => Err(Stopped::TimeIsUp(task.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// What has no end of its own, and how one hears of that which it has.
    fn endless() -> (impl FnOnce(&Task) -> io::Result<()> + Send, Receiver<()>) {
        let (end, ended) = channel();
        let work = move |task: &Task| {
            while !task.given_up().is_cancelled() {
                std::thread::yield_now();
            }
            end.send(()).map_err(io::Error::other)
        };
        (work, ended)
    }

    #[tokio::test]
    async fn what_has_no_end_is_given_up() {
        let (work, ended) = endless();
        let Err(Stopped::TimeIsUp(so_far)) = within(Duration::from_millis(1), work).await else {
            panic!("it has an end");
        };
        assert_eq!(so_far, "0 whole files copied, of 0 bytes together");
        ended.recv().unwrap();
    }

    /// That it took too long for somebody else is no limit of ours.
    #[tokio::test]
    async fn a_time_out_of_the_hosts_is_its_error() {
        let failed = within(Duration::MAX, |_| {
            Err::<(), _>(io::ErrorKind::TimedOut.into())
        });
        assert!(matches!(failed.await, Err(Stopped::Failed(_))));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_given_up() {
        let (work, ended) = endless();
        let never = within(Duration::MAX, work);
        assert!(timeout(Duration::from_millis(1), never).await.is_err());
        ended.recv().unwrap();
    }
}
