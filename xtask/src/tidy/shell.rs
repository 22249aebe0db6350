//! Shell scripts, checked by shellcheck.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::util::{files, run, workspace};

/// Where scripts are: in files that end in `.sh` or `.bash`, or begin with `#!` and a shell.
const DIRECTORIES: [&str; 4] = [".ci", "backdoor-shell/src", "machine/src", "xtask/images"];

/// What is appended to a script, and does not begin with `#!` itself.
const CONTINUATIONS: [&str; 1] = ["xtask/images/desktop/setup"];

/// Warnings that do not apply to a script. They are not in the script where its text is sent
/// to a guest or is an input of an image, which would be built again.
const EXCEPTIONS: [(&str, &str); 6] = [
    // A backslash in single quotes is meant.
    ("backdoor-shell/src/agent.bash", "SC1003"),
    // The class is in a set, with `^` and other characters.
    ("backdoor-shell/src/agent.bash", "SC2101"),
    // `__vm_hello` is assigned before the agent is read.
    ("backdoor-shell/src/agent.bash", "SC2154"),
    // `vlans=` assigns the empty string.
    ("xtask/images/common/run-vm", "SC1007"),
    // The names of variables are split on purpose.
    ("xtask/images/common/run-vm", "SC2086"),
    // The kernel's command line is read by words.
    ("xtask/images/common/vlans", "SC2013"),
];

/// Checks all scripts.
pub(super) fn check() -> Result<()> {
    for directory in DIRECTORIES {
        let scripts = files(&workspace().join(directory), &is_script)?;
        for script in scripts {
            let script = script.strip_prefix(workspace())?;
            run(&mut shellcheck(script)).context("fix the warnings of shellcheck")?;
        }
    }
    Ok(())
}

fn shellcheck(script: &Path) -> Command {
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.current_dir(workspace());
    for (_, code) in EXCEPTIONS
        .iter()
        .filter(|(path, _)| script == Path::new(path))
    {
        shellcheck.args(["--exclude", code]);
    }
    if CONTINUATIONS.iter().any(|path| script == Path::new(path)) {
        shellcheck.args(["--shell", "sh"]);
    }
    shellcheck.arg(script);
    shellcheck
}

fn is_script(path: &Path) -> bool {
    let has_extension = path
        .extension()
        .is_some_and(|it| it == "sh" || it == "bash");
    let is_continuation = CONTINUATIONS.iter().any(|it| path.ends_with(it));
    has_extension || is_continuation || fs::read(path).is_ok_and(|text| begins_with_shell(&text))
}

/// Whether the first line is `#!` and a shell.
fn begins_with_shell(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let interpreter = line.strip_prefix("#!").unwrap_or_default();
    let names = interpreter.split(['/', ' ']);
    names.into_iter().any(|name| name == "sh" || name == "bash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_its_name_or_its_first_line() {
        assert!(begins_with_shell(b"#!/bin/sh\nexit"));
        assert!(begins_with_shell(b"#!/usr/bin/env bash"));
        assert!(!begins_with_shell(b"#!/usr/bin/perl\n#!/bin/sh"));
        assert!(!begins_with_shell(b"sh"));
        let dir = tempfile::tempdir().unwrap();
        let [named, other] = ["poll.sh", "setup.rs"].map(|name| dir.path().join(name));
        fs::write(&named, "exit\n").unwrap();
        fs::write(&other, "fn main() {}\n").unwrap();
        assert!(is_script(&named));
        assert!(!is_script(&other));
    }

    #[test]
    fn exceptions_are_of_scripts_that_there_are() {
        let listed = EXCEPTIONS.map(|(path, _)| path);
        for path in listed.iter().chain(&CONTINUATIONS) {
            assert!(is_script(&workspace().join(path)), "{path}");
        }
    }
}
