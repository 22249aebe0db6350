//! The command that starts a container, and the files that it needs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::command::{ContainerCommand, bind};
use super::hosts;
use super::network::Networks;
use super::users::{COPIES, SHARED, Users};
use crate::error::ErrorKind;
use crate::guest::Guest;
use crate::guest::copy_dir::MOUNT_POINT;
use crate::host::blocking::blocking;
use crate::host::cgroup::Cgroup;
use crate::host::files::{at, write_readable};
use crate::host::own_namespace::OwnNamespace;
use crate::host::process::{CommandSpec, Mount};

const START: &str = include_str!("start.sh");

/// The console shows the journal. Without a start script, systemd has arguments for it.
const JOURNALD: &str = "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n";

/// What `start.sh` mounts in another user namespace than the host's, and where the container has
/// it.
const API: [(&str, &str); 2] = [("api/proc", "/run/host/proc"), ("api/sys", "/run/host/sys")];

/// The variables of a start script, and of systemd-nspawn.
pub(super) fn environment(
    guest: &Guest,
    notify: &Path,
    cgroup: &Cgroup,
) -> Vec<(OsString, OsString)> {
    let (root, shared) = (root(guest), guest.state_dir().join(SHARED));
    let variables = [
        ("NOTIFY_SOCKET", notify.as_os_str()),
        ("RUN_NSPAWN_ROOT_DIR", root.as_os_str()),
        ("RUN_NSPAWN_SHARED_DIR", shared.as_os_str()),
        // A root without `os-release` is one, too.
        ("SYSTEMD_NSPAWN_CHECK_OS_RELEASE", "0".as_ref()),
    ];
    // In the root of a start script, systemd-nspawn may not find the version of systemd, and then
    // mounts hierarchies of version 1.
    let version_2 = ("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1".as_ref());
    let version_2 = cgroup.is_version_2().then_some(version_2);
    let variables = variables.into_iter().chain(version_2);
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    variables.collect()
}

/// Where `start.sh` mounts the container's root.
fn root(guest: &Guest) -> PathBuf {
    guest.state_dir().join("root")
}

/// The process that runs `start.sh` in this user namespace, and what is mounted for it.
pub(super) async fn process(
    guest: &Guest,
    command: &ContainerCommand,
    networks: &Networks,
    cgroup: &Cgroup,
    namespace: OwnNamespace,
) -> Result<(CommandSpec, Vec<Mount>), ErrorKind> {
    let is_of_host = namespace.is_of_host();
    let (lower, users) = match command.lower().await? {
        Some(lower) => {
            let (guest, dir) = (guest.clone(), lower.clone());
            let users = blocking(move || Users::other(&guest, &namespace, &dir));
            (lower, users.await?)
        }
        None => (empty_dir(guest)?, Users::same()),
    };
    let mut options = options(guest, &users, &lower, command.is_script(), networks).await?;
    if !is_of_host {
        let state = guest.state_dir();
        options.extend(API.map(|(source, target)| bind("--bind=", &state.join(source), target)));
    }
    let nspawn = command.spec(&root(guest), &users.option, options)?;
    let namespaces: &[&str] = if command.is_script() {
        &["--mount", "--net"]
    } else {
        &["--mount"]
    };
    let mut args: Vec<OsString> = namespaces.iter().map(Into::into).collect();
    args.extend(["--", "/bin/sh", "-c", START, "start.sh"].map(OsString::from));
    args.push(if is_of_host { "host" } else { "other" }.into());
    args.extend(if users.mounts.is_empty() {
        [lower.into(), guest.shared_dir().into()]
    } else {
        [OsString::new(), OsString::new()]
    });
    args.push(users.first.unwrap_or(0).to_string().into());
    args.push(if guest.state().is_kept() { "keep" } else { "" }.into());
    args.extend(cgroup.dirs().map(OsString::from));
    args.extend(["--".into(), nspawn.program]);
    args.extend(nspawn.args);
    let spec = CommandSpec {
        program: "unshare".into(),
        args,
    };
    Ok((spec, users.mounts))
}

fn empty_dir(guest: &Guest) -> Result<PathBuf, ErrorKind> {
    let dir = guest.state_dir().join("empty");
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    Ok(dir)
}

/// The options of systemd-nspawn for every container.
async fn options(
    guest: &Guest,
    users: &Users,
    lower: &Path,
    is_script: bool,
    networks: &Networks,
) -> Result<Vec<OsString>, ErrorKind> {
    let mut options = vec![
        // No files of the host, and the limits of this process: those of the host's init are not
        // readable in a user namespace.
        "--settings=no".into(),
        "--notify-ready=yes".into(),
        "--console=interactive".into(),
        bind("--bind=", &guest.state_dir().join(SHARED), "/tmp/shared"),
        bind("--bind=", &guest.state_dir().join(COPIES), MOUNT_POINT),
    ];
    if is_script {
        let path = guest.state_dir().join("journald.conf");
        write_readable(&path, JOURNALD, None)?;
        let target = "/run/systemd/journald.conf.d/vmwright.conf";
        options.push(bind("--bind-ro=", &path, target));
    } else if let Some(nodes) = networks.hosts() {
        let (guest, lower, root) = (guest.clone(), lower.to_owned(), users.first);
        let hosts = blocking(move || hosts::write(guest.state_dir(), &lower, &nodes, root));
        options.push(bind("--bind=", &hosts.await?, "/etc/hosts"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// `start.sh` in a control group, without the programs that it needs next.
    fn start_in(cgroup: &Path) -> String {
        let mut start = Command::new("/bin/sh");
        start.args(["-c", START, "start.sh", "host", "", "", "0", ""]);
        let start = start.arg(cgroup).args(["--", "true"]).env("PATH", "");
        let output = start.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    #[test]
    fn a_container_is_not_outside_of_its_control_groups() {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("group");
        let refusal = format!("can't join the control group {}\n", group.display());
        assert_eq!(start_in(&group), refusal);
        // This can't be written to, either.
        fs::create_dir_all(group.join("cgroup.procs")).unwrap();
        fs::write(group.join("cpuset.cpus"), "").unwrap();
        assert_eq!(start_in(&group), refusal);
        // That of version 1.
        fs::write(group.join("tasks"), "").unwrap();
        assert!(!start_in(&group).contains("control group"));
    }
}
