//! Whether this user may run containers.

use std::fs;
use std::process::Command;

use super::refusal::cannot;
use crate::error::ErrorKind;
use crate::host::cgroup;
use crate::host::own_namespace::OwnNamespace;
use crate::host::process::find_in_path;
use crate::host::user_namespace::IDS;

/// How an ordinary user runs a command as root of a user namespace that has enough ids.
const BY_USER: &str = "unshare --user --map-auto --map-root-user --";

/// Settings of the kernel, in `/proc/sys`, and the values that forbid this.
const FORBIDDING: [(&str, &str); 3] = [
    ("user/max_user_namespaces", "0"),
    ("kernel/unprivileged_userns_clone", "0"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
];

/// Checks that this process is root, on the host or in a user namespace with enough ids, which is
/// returned.
pub(super) fn check() -> Result<OwnNamespace, ErrorKind> {
    let by_user = format!("{} {BY_USER} COMMAND", cgroup::BY_USER);
    if !rustix::process::geteuid().is_root() {
        let obstacles = match obstacles().join(", and ") {
            none if none.is_empty() => none,
            some => format!(", which fails here because {some}"),
        };
        return Err(cannot(format!(
            "systemd-nspawn needs root: run the test as root, or by `{by_user}`{obstacles}"
        )));
    }
    let namespace = OwnNamespace::read();
    let namespace = namespace.map_err(|error| cannot(error.to_string()))?;
    if !namespace.has_ids_for_containers() {
        return Err(cannot(format!(
            "it needs the users and groups 0 to {}, and this user namespace has {}: run the test \
             by `{by_user}`",
            IDS - 1,
            namespace.ids(),
        )));
    }
    Ok(namespace)
}

/// Why an ordinary user can't have such a namespace.
fn obstacles() -> Vec<String> {
    let settings = FORBIDDING.into_iter().filter_map(|(name, forbidding)| {
        let value = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
        let name = name.replace('/', ".");
        (value.trim() == forbidding).then(|| format!("the kernel's {name} is {forbidding}"))
    });
    let program = find_in_path("newuidmap").is_none();
    let program =
        program.then(|| "newuidmap is not in PATH (Debian's package uidmap has it)".to_owned());
    let user = user();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let ids = ["/etc/subuid", "/etc/subgid"]
        .into_iter()
        .filter_map(|file| {
            let ids = fs::read_to_string(file).unwrap_or_default();
            let has_ids = [&user, &uid].iter().any(|user| has_ids(&ids, user));
            (!has_ids).then(|| format!("{file} gives {user} no {IDS} ids"))
        });
    settings.chain(program).chain(ids).collect()
}

/// This user's name.
fn user() -> String {
    let id = Command::new("id").arg("-un").output();
    let name = id.map(|id| String::from_utf8_lossy(&id.stdout).trim().to_owned());
    name.ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this user".to_owned())
}

/// Whether lines as those of `/etc/subuid` (subuid(5)) give a user enough ids.
fn has_ids(lines: &str, user: &str) -> bool {
    lines.lines().any(|line| {
        let mut words = line.split(':');
        let owner = words.next();
        let count = words.nth(1).and_then(|count| count.trim().parse().ok());
        owner == Some(user) && count.is_some_and(|count: u32| count >= IDS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_ids_are_found() {
        let lines = "alice:100000:65536\nbob:165536:1000\n1002:231072:65536\n";
        assert!(has_ids(lines, "alice") && has_ids(lines, "1002"));
        assert!(!has_ids(lines, "bob") && !has_ids(lines, "carol") && !has_ids("alice", "alice"));
    }
}
