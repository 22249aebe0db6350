//! The users of a container, who are others on the host.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::ErrorKind;
use crate::guest::Guest;
use crate::host::files::at;
use crate::host::process::Mount;
use crate::host::user_namespace::{IDS, UserNamespace};

/// The first version of Linux that has overlays over mounts with other users.
const OVERLAYS: (u32, u32) = (5, 19);

/// Which users of the host those of a container are, and the directories of the host that it
/// has, as its users see them.
#[derive(Debug)]
pub(super) struct Users {
    /// The id on the host of the container's root; none if it is root there, too.
    pub(super) first: Option<u32>,
    /// What is mounted in its state directory: `lower`, and the next two.
    pub(super) mounts: Vec<Mount>,
    pub(super) shared: PathBuf,
    pub(super) copies: PathBuf,
}

impl Users {
    /// The host's users.
    pub(super) fn of_host(guest: &Guest) -> Self {
        Self {
            first: None,
            mounts: Vec::new(),
            shared: guest.state().shared().to_owned(),
            copies: guest.state().copies().to_owned(),
        }
    }

    /// Users of the container's own, whose root directory is `lower`; or those of the host, if
    /// that is on a file system that does not support it, say.
    pub(super) fn own(guest: &Guest, lower: &Path) -> Result<Self, ErrorKind> {
        let mut users = Self::of_host(guest);
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
                    shared: guest.state_dir().join("shared"),
                    copies: guest.state_dir().join("copies-shared"),
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
        (lower, c"lower"),
        (state.shared(), c"shared"),
        (state.copies(), c"copies-shared"),
    ];
    let mounts = pairs.map(|(source, target)| namespace.mount(source, CString::from(target)));
    Ok((
        namespace.first,
        mounts.into_iter().collect::<Result<_, _>>()?,
    ))
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
