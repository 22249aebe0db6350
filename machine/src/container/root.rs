//! What a container's root directory is made from.

use std::io;
use std::path::{Path, PathBuf};

use super::refusal::wrong;
use crate::error::ErrorKind;
use crate::host::blocking::blocking;
use crate::host::root_dir::RootDir;
use crate::start::{RootArchive, StartScript};

/// What systemd-nspawn boots, one of them.
const SYSTEMD: [&str; 2] = ["usr/lib/systemd/systemd", "lib/systemd/systemd"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Missing,
    Dir(PathBuf),
    Archive(RootArchive),
    Script(StartScript),
}

impl Root {
    /// The directory that the container's root begins with; none for a start script.
    pub(super) async fn lower(&self) -> Result<Option<PathBuf>, ErrorKind> {
        let path = match self {
            Root::Dir(path) => path,
            Root::Archive(archive) => archive.path(),
            Root::Script(_) => return Ok(None),
            Root::Missing => {
                return Err(wrong(
                    "it has no root: set one by `root_dir`, `root_tar`, `oci_layout` or \
                     `start_script`",
                ));
            }
        };
        let root = self.clone();
        let dir = blocking(move || {
            let dir = match root {
                Root::Dir(dir) => dir.canonicalize()?,
                Root::Archive(archive) => archive.unpacked()?,
                Root::Script(_) | Root::Missing => return Ok(None),
            };
            check_root(&dir)?;
            Ok(Some(dir))
        });
        dir.await.map_err(|source| ErrorKind::Root {
            path: path.to_owned(),
            source,
        })
    }
}

fn check_root(path: &Path) -> io::Result<()> {
    let root = RootDir::open(path)?;
    // Another init does not report that it has booted.
    if !SYSTEMD.iter().any(|systemd| root.has(systemd)) {
        let missing = if root.has("sbin/init") {
            "its init is not systemd, which a container needs"
        } else {
            "it has no init: systemd, which a container needs, is not in /usr/lib/systemd"
        };
        return Err(io::Error::other(missing));
    }
    if !root.has("bin/bash") {
        let missing = "it has no /bin/bash, which is the driver's root shell";
        return Err(io::Error::other(missing));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_root_has_an_init_and_bash() {
        let dir = tempfile::tempdir().unwrap();
        for (missing, dir_name, file) in [
            ("it has no init", "sbin", "init"),
            ("is not systemd", "lib/systemd", "systemd"),
            ("no /bin/bash", "bin", "bash"),
        ] {
            let reason = check_root(dir.path()).unwrap_err().to_string();
            assert!(reason.contains(missing), "{reason}");
            fs::create_dir_all(dir.path().join(dir_name)).unwrap();
            fs::write(dir.path().join(dir_name).join(file), "").unwrap();
        }
        check_root(dir.path()).unwrap();
    }
}
