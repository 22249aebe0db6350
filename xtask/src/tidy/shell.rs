//! Shell scripts, checked by shellcheck.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::util::{files, run, workspace};

/// Where scripts are: in files that end in `.sh` or `.bash`, or begin with `#!` and a shell or
/// with `DIRECTIVE`.
const DIRECTORIES: [&str; 5] = [
    ".ci",
    "backdoor-shell/src",
    "machine/src",
    "vmwright/src",
    "xtask/images",
];

/// Names the shell of a script that is appended to another one.
const DIRECTIVE: &str = "# shellcheck shell=";

/// Warnings that do not apply to the agent. Directives in it would be sent to guests.
const EXCEPTIONS: [(&str, &str); 5] = [
    // The single quotes contain a backslash.
    ("backdoor-shell/src/agent.bash", "SC1003"),
    // The class is in a set with other characters.
    ("backdoor-shell/src/agent.bash", "SC2101"),
    // `__vm_hello` is assigned before the agent is read.
    ("backdoor-shell/src/agent.bash", "SC2154"),
    // The worker has its own copies of variables.
    ("backdoor-shell/src/agent.bash", "SC2030"),
    ("backdoor-shell/src/agent.bash", "SC2031"),
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
    shellcheck.arg(script);
    shellcheck
}

fn is_script(path: &Path) -> bool {
    let has_extension = path
        .extension()
        .is_some_and(|it| it == "sh" || it == "bash");
    has_extension || fs::read(path).is_ok_and(|text| names_shell(&text))
}

/// Whether the first line is `DIRECTIVE`, or `#!` and a shell.
fn names_shell(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.starts_with(DIRECTIVE) {
        return true;
    }
    let interpreter = line.strip_prefix("#!").unwrap_or_default();
    let names = interpreter.split(['/', ' ']);
    names.into_iter().any(|name| name == "sh" || name == "bash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_recognized_by_its_name_or_first_line() {
        assert!(names_shell(b"#!/bin/sh\nexit"));
        assert!(names_shell(b"#!/usr/bin/env bash"));
        assert!(names_shell(b"# shellcheck shell=sh\nexit"));
        assert!(!names_shell(b"#!/usr/bin/perl\n#!/bin/sh"));
        assert!(!names_shell(b"sh"));
        let dir = tempfile::tempdir().unwrap();
        let [named, other] = ["poll.sh", "setup.rs"].map(|name| dir.path().join(name));
        fs::write(&named, "exit\n").unwrap();
        fs::write(&other, "fn main() {}\n").unwrap();
        assert!(is_script(&named));
        assert!(!is_script(&other));
    }

    #[test]
    fn exceptions_name_existing_scripts() {
        for (path, _) in EXCEPTIONS {
            assert!(is_script(&workspace().join(path)), "{path}");
        }
    }
}
