//! The users of a container, who are others on the host.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use crate::error::ErrorKind;
use crate::guest::Guest;
use crate::host::files::at;
use crate::host::own_namespace::OwnNamespace;
use crate::host::process::Mount;
use crate::host::user_namespace::{IDS, UserNamespace};

/// The first version of Linux that has overlays over mounts with other users.
const OVERLAYS: (u32, u32) = (5, 19);

/// Where the directories that a container shares are mounted in its state directory: by
/// `start.sh`, unless they are among the mounts of its users.
pub(super) const SHARED: &str = "shared";
pub(super) const COPIES: &str = "copies-shared";

/// Which users of this process's user namespace, the host's or another one, those of a container
/// are.
#[derive(Debug)]
pub(super) struct Users {
    /// The id of the container's root there; none if it is root there, too.
    pub(super) first: Option<u32>,
    /// The value of systemd-nspawn's option `--private-users`.
    pub(super) option: String,
    /// Its directories, as its users see them; none if they are the same users.
    pub(super) mounts: Vec<Mount>,
}

impl Users {
    /// The same users.
    pub(super) fn same() -> Self {
        Self {
            first: None,
            option: "identity".to_owned(),
            mounts: Vec::new(),
        }
    }

    /// The users of a container whose root directory is `lower`, others than the host's: the
    /// same ones if this process's are others already. They are the host's if the directory is
    /// on a file system that does not support it, say.
    pub(super) fn other(
        guest: &Guest,
        namespace: &OwnNamespace,
        lower: &Path,
    ) -> Result<Self, ErrorKind> {
        if !namespace.is_of_host() {
            check_owner(lower)?;
            return Ok(Self {
                // A namespace that systemd-nspawn makes has one range of ids, but this one may have
                // several: the user's id and subordinate ones.
                option: "no".to_owned(),
                ..Self::same()
            });
        }
        let mut users = Self::same();
        match mounts(guest, lower) {
            Ok((first, mounts)) => {
                for Mount { target, .. } in &mounts {
                    let dir = guest.state_dir().join(target.to_string_lossy().as_ref());
                    let made = DirBuilder::new().mode(0o700).recursive(true).create(&dir);
                    made.map_err(at(&dir))?;
                }
                users = Self {
                    first: Some(first),
                    option: format!("{first}:{IDS}"),
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
}

/// Checks that a root directory belongs to this user namespace, and not to the host's root.
fn check_owner(lower: &Path) -> Result<(), ErrorKind> {
    let check = lower.metadata().and_then(|dir| match dir.uid() {
        0 => Ok(()),
        _ => Err(io::Error::other(
            "it does not belong to root of this user namespace: unpack it in the namespace, or \
             use `root_tar` or `oci_layout`",
        )),
    });
    check.map_err(|source| ErrorKind::Root {
        path: lower.to_owned(),
        source,
    })
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
