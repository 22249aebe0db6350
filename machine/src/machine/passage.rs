//! The directory that host and guest share, and what is copied through it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Machine;
use crate::error::{ErrorKind, Result, tail};
use crate::guest_tree::{self, LeftOut};

/// Where the shared directory is in the guest.
const GUEST_SHARE: &str = "/tmp/shared";

/// How what goes into the guest is called on its way, and the directory with the lists
/// of what has which mode.
pub(super) const COPY: &str = "copy";
pub(super) const MODES: &str = "modes";

impl Machine {
    /// Copies through a new directory that host and guest both see.
    pub(super) async fn through_share<T>(
        &self,
        copy: impl AsyncFnOnce(&Passage) -> Result<T>,
    ) -> Result<T> {
        let share = self.shared_dir();
        let dir = TempDir::new_in(share).map_err(|error| self.host_file(share, error))?;
        let passage = Passage {
            dir: dir.keep(),
            limit: self.limit,
        };
        let copied = match self.mount_share(&passage).await {
            Ok(()) => copy(&passage).await,
            Err(error) => Err(error),
        };
        passage.leave().await;
        copied
    }

    async fn mount_share(&self, passage: &Passage) -> Result<()> {
        let inside = passage.guest_path("");
        let script = format!(
            "exec 2>&1
            if [[ ! -d {inside} ]]; then
                mkdir -p {GUEST_SHARE}
                modprobe -a 9p 9pnet_virtio || :
                mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared {GUEST_SHARE}
            fi
            [[ -d {inside} ]]"
        );
        let output = self.execute(script).await?;
        if output.success() {
            return Ok(());
        }
        Err(self.error(ErrorKind::Share {
            output: tail(&output.stdout),
        }))
    }
}

/// A directory in the share, for one copy. It is removed when that ends; if nobody waits
/// for that, with its machine.
pub(super) struct Passage {
    dir: PathBuf,
    /// How long each part of the copy may take.
    limit: Duration,
}

impl Passage {
    /// Where `name` in it is for the guest. But for that, a shell need not have it quoted.
    pub(super) fn guest_path(&self, name: &str) -> String {
        let dir = self.dir.file_name().unwrap_or_default();
        format!("{GUEST_SHARE}/{}/{name}", dir.to_string_lossy())
    }

    pub(super) async fn copy_in(&self, source: &Path) -> io::Result<()> {
        let (dir, source) = (self.dir.clone(), source.to_owned());
        within(self.limit, move |given_up| {
            let modes = guest_tree::copy_in(&source, &dir, COPY.as_ref(), given_up)?;
            guest_tree::write_modes(&modes, &dir, MODES.as_ref(), given_up)
        })
        .await
    }

    pub(super) async fn copy_out(&self, name: &str, target: &Path) -> io::Result<LeftOut> {
        let (dir, target) = (self.dir.clone(), target.to_owned());
        let name = PathBuf::from(name);
        within(self.limit, move |given_up| {
            guest_tree::copy_out(&dir, &name, &target, given_up)
        })
        .await
    }

    async fn leave(self) {
        let dir = self.dir.clone();
        let removed = within(self.limit, move |given_up| {
            guest_tree::remove(&dir, given_up)
        });
        if let Err(error) = removed.await {
            tracing::warn!(dir = %self.dir.display(), %error, "could not remove what a guest shared");
        }
    }
}

/// Does what takes a while, where that holds nobody up. It is given up after `limit`, and
/// when nobody waits for it any more: a guest that goes on to make files would have it
/// go on for ever.
async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&CancellationToken) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let given_up = CancellationToken::new();
    let _give_up = given_up.clone().drop_guard();
    match timeout(limit, spawn_blocking(move || work(&given_up))).await {
        Ok(Ok(result)) => result,
        // It does not panic; the runtime is going down.
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// What has no end of its own, and how one hears of that which it has.
    fn endless() -> (
        impl FnOnce(&CancellationToken) -> io::Result<()> + Send,
        Receiver<()>,
    ) {
        let (end, ended) = channel();
        let work = move |given_up: &CancellationToken| {
            while !given_up.is_cancelled() {
                std::thread::yield_now();
            }
            end.send(()).map_err(io::Error::other)
        };
        (work, ended)
    }

    #[tokio::test]
    async fn what_has_no_end_is_given_up() {
        let (work, ended) = endless();
        let error = within(Duration::from_millis(1), work).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        ended.recv().unwrap();
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_given_up() {
        let (work, ended) = endless();
        let never = within(Duration::MAX, work);
        assert!(timeout(Duration::from_millis(1), never).await.is_err());
        ended.recv().unwrap();
    }
}
