//! The sandbox of a build of Nix, which lacks files that containers need.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

use rustix::mount::{MountFlags, mount};

use crate::error::ErrorKind;
use crate::host::files::host_file_error;
use crate::host::own_namespace::OwnNamespace;
use crate::sync::Mutex;

/// Makes what the sandbox lacks, as the NixOS test driver does. With the system feature
/// `uid-range`, a build is root of a user namespace, and may change the sandbox's root directory
/// and its mounts. Does nothing elsewhere.
pub(super) fn complete() -> Result<(), ErrorKind> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A shell of Nix is on the host.
    let is_build = env::var_os("NIX_BUILD_TOP").is_some() && env::var_os("IN_NIX_SHELL").is_none();
    if !is_build || !OwnNamespace::read().is_ok_and(|namespace| namespace.has_other_root()) {
        return Ok(());
    }
    let _guard = ONE_AT_A_TIME.lock();
    for dir in ["/run", "/var", "/etc"] {
        fs::create_dir_all(dir).map_err(host_file_error(Path::new(dir)))?;
    }
    // Where `ip netns` of start scripts looks.
    make("/var/run", |path| symlink("/run", path))?;
    // Of what systemd-nspawn calls the host.
    make("/etc/os-release", |path| fs::write(path, ""))?;
    make("/etc/machine-id", |_| {
        Command::new("systemd-machine-id-setup").output().map(drop)
    })?;
    if !Path::new("/sys/fs/cgroup/cgroup.procs").exists() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // If this fails, no control group can be created, which is the error then.
        let _ = mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, None);
    }
    Ok(())
}

fn make(path: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), ErrorKind> {
    let path = Path::new(path);
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    make(path).map_err(host_file_error(path))
}
