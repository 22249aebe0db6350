//! The users of a container, who are others on the host.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::error::ErrorKind;
use crate::guest::Guest;
use crate::host::files::at;
use crate::host::process::Mount;
use crate::host::user_namespace::{IDS, UserNamespace};

/// The first version of Linux that has overlays over mounts with other users.
const OVERLAYS: (u32, u32) = (5, 19);

/// Where the directories that a container shares are mounted in its state directory: by
/// `start.sh`, unless they are among the mounts of its users.
pub(super) const SHARED: &str = "shared";
pub(super) const COPIES: &str = "copies-shared";

/// Which users of the host those of a container are.
#[derive(Debug)]
pub(super) struct Users {
    /// The id on the host of the container's root; none if it is root there, too.
    pub(super) first: Option<u32>,
    /// Its directories, as its users see them; none if they are the host's users.
    pub(super) mounts: Vec<Mount>,
}

impl Users {
    /// The host's users.
    pub(super) fn of_host() -> Self {
        Self {
            first: None,
            mounts: Vec::new(),
        }
    }

    /// Users of the container's own, whose root directory is `lower`; or those of the host, if
    /// that is on a file system that does not support it, say.
    pub(super) fn own(guest: &Guest, lower: &Path) -> Result<Self, ErrorKind> {
        let mut users = Self::of_host();
        match mounts(guest, lower) {
            Ok((first, mounts)) => {
                for Mount { target, .. } in &mounts {
                    let dir = guest.state_dir().join(target.to_string_lossy().as_ref());
                    let made = DirBuilder::new().mode(0o700).recursive(true).create(&dir);
                    made.map_err(at(&dir))?;
                }
                users = Self {
                    first: Some(first),
                    mounts,
                };
            }
            Err(error) => tracing::warn!(
                machine = guest.name(),
                "its users are those of the host, and its root is root of the host: {error}"
            ),
        }
        Ok(users)
    }

    /// The value of systemd-nspawn's option `--private-users`.
    pub(super) fn option(&self) -> String {
        match self.first {
            Some(first) => format!("{first}:{IDS}"),
            None => "identity".to_owned(),
        }
    }
}

fn mounts(guest: &Guest, lower: &Path) -> io::Result<(u32, Vec<Mount>)> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    if version(&release) < OVERLAYS {
        let (major, minor) = OVERLAYS;
        return Err(io::Error::other(format!("it takes Linux {major}.{minor}")));
    }
    let namespace = UserNamespace::of(guest.name())?;
    let state = guest.state();
    let pairs = [
        (lower, "lower"),
        (state.shared(), SHARED),
        (state.copies(), COPIES),
    ];
    let mounts = pairs.map(|(source, target)| {
        let mount = namespace.mount(source, CString::new(target)?);
        mount.map_err(|error| {
            let path = source.display();
            io::Error::other(format!(
                "{path} can't be mounted with other owners: put it on ext4, XFS, Btrfs or tmpfs \
                 ({error})"
            ))
        })
    });
    let mounts = mounts.into_iter().collect::<io::Result<_>>()?;
    Ok((namespace.first, mounts))
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_numbers() {
        assert!(version("6.1.0-23-amd64\n") >= OVERLAYS);
        assert!(version("5.19") >= OVERLAYS);
        assert!(version("5.15.0-91-generic") < OVERLAYS);
        assert_eq!(version(""), (0, 0));
    }
}
