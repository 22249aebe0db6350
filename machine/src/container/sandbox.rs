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

/// Whether this process is a build of Nix with the system feature `uid-range`: root of this user
/// namespace, so it may change the sandbox's root directory and its mounts.
pub(super) fn is_build_in(namespace: &OwnNamespace) -> bool {
    // A shell of Nix is on the host.
    let is_build = env::var_os("NIX_BUILD_TOP").is_some() && env::var_os("IN_NIX_SHELL").is_none();
    is_build && !namespace.is_of_host()
}

/// Makes what the sandbox lacks, as the NixOS test driver does.
pub(super) fn complete() -> Result<(), ErrorKind> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    for dir in ["/run", "/var", "/etc"] {
        fs::create_dir_all(dir).map_err(host_file_error(Path::new(dir)))?;
    }
    // Where `ip netns` of start scripts looks.
    make("/var/run", |path| symlink("/run", path))?;
    // Of what systemd-nspawn calls the host.
    make("/etc/os-release", |path| fs::write(path, ""))?;
    make("/etc/machine-id", |_| run("systemd-machine-id-setup"))?;
    if !Path::new("/sys/fs/cgroup/cgroup.procs").exists() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // If this fails, no control group can be created, which is the error then.
        let _ = mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, None);
    }
    Ok(())
}

fn run(program: &str) -> io::Result<()> {
    let output = Command::new(program).output();
    let output = output.map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    let message = format!("{program} has failed ({}) {reason}", output.status);
    Err(io::Error::other(message.trim_end()))
}

fn make(path: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), ErrorKind> {
    let path = Path::new(path);
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    make(path).map_err(host_file_error(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named() {
        let reason = |program| run(program).unwrap_err().to_string();
        assert_eq!(reason("false"), "false has failed (exit status: 1)");
        assert!(reason("no-such-program").starts_with("no-such-program: No such file"));
        run("true").unwrap();
    }
}
