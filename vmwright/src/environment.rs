//! The variables of a command.

use std::env;
use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::MachineFlags;

/// Variables of this process that a command with the host's root does not get: they name
/// what only the host has, or bash sets them itself.
const NOT_PASSED: [&str; 20] = [
    "BASHOPTS",
    "BASH_ENV",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "EUID",
    "IFS",
    "LOGNAME",
    "OLDPWD",
    "PPID",
    "PWD",
    "SHELLOPTS",
    "SHLVL",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "UID",
    "USER",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "_",
];

/// Where the guest of a root without an init has `poweroff` and `reboot`.
const GUEST_PROGRAMS: &str = "/run/vmwright/bin";

/// The variables: with the host's root those of this process; then those of the flags.
///
/// # Errors
/// A flag names a variable that does not exist here, or none.
pub(crate) fn variables(flags: &MachineFlags) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    if flags.source.host_root {
        // Text of another encoding can't be passed.
        let own = env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            let is_path = name == "PATH";
            Some(if is_path {
                (name, format!("{GUEST_PROGRAMS}:{value}"))
            } else {
                (name, value)
            })
        });
        variables.extend(own.filter(|(name, _)| is_passed(name)));
    }
    for flag in &flags.env {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => match env::var(flag) {
                Ok(value) => (flag.as_str(), value),
                Err(error) => bail!("--env {flag}: {error}"),
            },
        };
        if !is_name(name) {
            bail!("--env {flag}: `{name}` is no name of a variable");
        }
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

/// The directory of a command: with the host's root the current one.
pub(crate) fn directory(flags: &MachineFlags) -> Result<Option<String>> {
    if !flags.source.host_root {
        return Ok(None);
    }
    let Ok(dir) = env::current_dir()?.into_os_string().into_string() else {
        bail!("the path of the current directory is not UTF-8");
    };
    Ok(Some(dir))
}

/// Whether the host's `/tmp` is needed, which a guest with the host's root does not see: for
/// the directory or the program.
pub(crate) fn needs_tmp(directory: Option<&str>, program: &str) -> bool {
    let is_there = |path: &str| Path::new(path).starts_with("/tmp");
    directory.is_some_and(|dir| is_there(dir) || is_there(program))
}

fn is_passed(name: &str) -> bool {
    is_name(name) && !NOT_PASSED.contains(&name)
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_variables_stay() {
        for name in ["CARGO_MANIFEST_DIR", "PATH", "HOME", "RUST_LOG"] {
            assert!(is_passed(name), "{name}");
        }
        for name in ["TMPDIR", "BASH_FUNC_x%%", "", "1", "_"] {
            assert!(!is_passed(name), "{name}");
        }
    }

    #[test]
    fn a_directory_in_tmp_is_needed() {
        assert!(needs_tmp(Some("/tmp/crate"), "ls"));
        assert!(needs_tmp(Some("/work"), "/tmp/target/debug/test"));
        assert!(!needs_tmp(Some("/tmpfile"), "ls"));
        assert!(!needs_tmp(None, "/tmp/a"));
    }
}
