//! The command that runs the tests: nextest if it is installed, otherwise `cargo test`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::permits::permits;
use super::{PACKAGES, VM_TESTS};
use crate::flags::VmTestFlags;
use crate::host;
use crate::util::{cargo, run, workspace};

/// Which tests to run.
pub(super) enum Tests<'a> {
    All,
    /// Those whose names contain this.
    Like(&'a str),
    These(Vec<String>),
}

impl Tests<'_> {
    /// Whether a test is among them.
    pub(super) fn include(&self, test: &str) -> bool {
        match self {
            Self::All => true,
            Self::Like(filter) => test.contains(filter),
            Self::These(names) => names.iter().any(|name| name == test),
        }
    }
}

/// Runs `tests` without those that are `excluded`; all other ignored tests are run, too. They
/// are those in nextest's archive `archived`, if there is one.
pub(super) fn command(
    tests: &Tests<'_>,
    excluded: &[String],
    flags: &VmTestFlags,
    archived: Option<&Path>,
) -> Result<Command> {
    let mut runner = cargo();
    scale_timeouts(&mut runner, flags);
    if flags.pause_on_failure {
        runner.env("VM_PAUSE_ON_FAILURE", "1");
    }
    // With nextest, a test can't read from the terminal.
    if host::find("cargo-nextest").is_some() && !flags.pause_on_failure {
        nextest(&mut runner, archived, flags)?;
        if let Tests::Like(filter) = tests {
            runner.arg(filter);
        }
        runner.args(["--run-ignored", "all", "-E", &filterset(tests, excluded)]);
    } else {
        cargo_test(&mut runner, tests, excluded, flags)?;
    }
    Ok(runner)
}

fn nextest(runner: &mut Command, archived: Option<&Path>, flags: &VmTestFlags) -> Result<()> {
    runner.args(["nextest", "run"]);
    if let Some(archive) = archived {
        runner.arg("--archive-file").arg(archive);
        runner.arg("--workspace-remap").arg(workspace());
        let dir = archive.with_file_name("archived");
        fs::create_dir_all(&dir)?;
        runner.arg("--extract-to").arg(dir);
        runner.arg("--extract-overwrite");
    } else {
        runner.args(PACKAGES);
    }
    runner.args(["--profile", profile(flags)]);
    runner.args(["--test-threads", &permits().to_string()]);
    if let Some(part) = &flags.partition {
        runner.args(["--partition", part]);
    }
    // In CI only: elsewhere, a test that fails now and then must not pass unnoticed.
    if host::is_ci() {
        runner.args(["--retries", "1"]);
    }
    Ok(())
}

/// The tests as an expression of nextest's, but for a filter by part of a name.
fn filterset(tests: &Tests<'_>, excluded: &[String]) -> String {
    let any_of = |names: &[String]| {
        let each = names.iter().map(|name| format!("test(={name})"));
        std::iter::once("none()".to_owned())
            .chain(each)
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let included = match tests {
        Tests::These(names) => any_of(names),
        Tests::All | Tests::Like(_) => "all()".to_owned(),
    };
    format!("{VM_TESTS} & ({included}) - ({})", any_of(excluded))
}

fn cargo_test(
    runner: &mut Command,
    tests: &Tests<'_>,
    excluded: &[String],
    flags: &VmTestFlags,
) -> Result<()> {
    runner
        .arg("test")
        .args(PACKAGES)
        .args(["--test", "vm", "--"]);
    let threads = if flags.pause_on_failure { 1 } else { permits() };
    runner.env("RUST_TEST_THREADS", threads.to_string());
    if flags.pause_on_failure {
        runner.arg("--nocapture");
    }
    let mut list = cargo();
    list.args(["test", "--quiet"]).args(PACKAGES);
    let list = run(list.args(["--test", "vm", "--", "--list"]))?;
    let list = String::from_utf8(list.stdout)?;
    let names = selected(&list, tests, excluded);
    // Without a name, all tests would be run.
    ensure!(!names.is_empty(), "no test is selected");
    runner.args(["--include-ignored", "--exact"]).args(names);
    Ok(())
}

/// The names of the tests in the output of `--list` that are to be run.
fn selected<'a>(list: &'a str, tests: &Tests<'_>, excluded: &[String]) -> Vec<&'a str> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names
        .filter(|name| tests.include(name) && !excluded.iter().any(|it| it == name))
        .collect()
}

/// The profile in `.config/nextest.toml`.
pub(super) fn profile(flags: &VmTestFlags) -> &'static str {
    if flags.timeout_scale.is_some() {
        "slow"
    } else {
        "default"
    }
}

/// Passes `--timeout-scale` on.
pub(super) fn scale_timeouts(command: &mut Command, flags: &VmTestFlags) {
    if let Some(scale) = flags.timeout_scale {
        command.env("VM_TIMEOUT_SCALE", scale.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_tests_are_taken_from_the_included() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let excluded: Vec<String> = names(&["a::x", "b::y"]);
        assert_eq!(
            filterset(&Tests::All, &excluded),
            "package(vm-tests) & (all()) - (none() | test(=a::x) | test(=b::y))"
        );
        let these = Tests::These(names(&["a::x", "c::z"]));
        assert_eq!(
            filterset(&these, &[]),
            "package(vm-tests) & (none() | test(=a::x) | test(=c::z)) - (none())"
        );
        assert!(these.include("c::z") && !these.include("c"));
        assert!(Tests::Like("c::").include("c::z"));
    }

    #[test]
    fn tests_are_selected_from_a_list() {
        let list = "a::x: test\na::xy: test\nb::z: test\n\n3 tests, 0 benchmarks\n";
        let excluded = ["a::x".to_owned()];
        assert_eq!(selected(list, &Tests::All, &excluded), ["a::xy", "b::z"]);
        assert_eq!(selected(list, &Tests::Like("a::"), &excluded), ["a::xy"]);
    }
}
