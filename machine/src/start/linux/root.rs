//! What is mounted as a guest's root.

use std::io;
use std::path::{Path, PathBuf};

use super::kernel::{Feature, module};
use super::root_archive::RootArchive;
use crate::host::root_dir::RootDir;

/// The tag under which the host's root is shared: see `guest/init.sh`.
pub(super) const HOST_TAG: &str = "vmwright-root";

/// A guest's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// None was chosen.
    Missing,
    /// That of the host, read-only below a file system in memory.
    Host,
    /// A directory.
    Dir(PathBuf),
    /// A file or several, to be unpacked.
    Archive(RootArchive),
    /// What an initrd of the user mounts.
    Initrd(PathBuf),
}

impl Root {
    /// Its name in the settings of `guest/init.sh`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Host => "host",
            _ => "disk",
        }
    }

    /// Where it is on the host.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Dir(path) | Self::Initrd(path) => path,
            Self::Archive(archive) => archive.path(),
            Self::Missing | Self::Host => Path::new("/"),
        }
    }

    /// Whether it is on the machine's own disk.
    pub(super) fn is_disk(&self) -> bool {
        matches!(self, Self::Dir(_) | Self::Archive(_))
    }

    /// What a kernel needs to mount it.
    pub(super) fn features(&self) -> Vec<Feature> {
        match self {
            Self::Host => vec![
                module("CONFIG_NET_9P_VIRTIO", "9pnet_virtio"),
                module("CONFIG_9P_FS", "9p"),
                module("CONFIG_OVERLAY_FS", "overlay"),
            ],
            Self::Initrd(_) => Vec::new(),
            _ => vec![
                module("CONFIG_VIRTIO_BLK", "virtio_blk"),
                module("CONFIG_EXT4_FS", "ext4"),
            ],
        }
    }
}

/// What the root shell needs in the tree at `root` and does not find, links resolved as in
/// the guest.
pub(super) fn missing_shell(root: &Path, needs_bash: bool) -> io::Result<Option<&'static str>> {
    let root = RootDir::open(root)?;
    let programs = if needs_bash {
        &["bin/sh", "bin/bash"][..]
    } else {
        &["bin/sh"]
    };
    Ok(programs.iter().copied().find(|path| !root.has(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_shell_is_sh_and_often_bash() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("bin")).unwrap();
        let missing = || missing_shell(root, true).unwrap();
        assert_eq!(missing(), Some("bin/sh"));
        fs::write(root.join("bin/sh"), "").unwrap();
        assert_eq!(missing(), Some("bin/bash"));
        assert_eq!(missing_shell(root, false).unwrap(), None);
        fs::write(root.join("bin/bash"), "").unwrap();
        assert_eq!(missing(), None);
    }
}
