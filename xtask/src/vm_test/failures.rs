//! What is kept of failed tests: one directory for each, written by the test itself
//! (`tests/src/failure.rs`).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::util::vm_dir;

/// The directory that contains the failed tests' directories.
pub(super) fn dir() -> PathBuf {
    vm_dir().join("failures")
}

/// Removes the failures of an earlier round.
pub(super) fn remove() -> Result<()> {
    remove_dir(&dir())
}

/// Removes what was kept of flaky tests in an earlier run.
pub(super) fn remove_flaky() -> Result<()> {
    remove_dir(&flaky_dir())
}

/// The directory that contains what is kept of flaky tests, by round.
fn flaky_dir() -> PathBuf {
    vm_dir().join("flaky")
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// The names of the tests that failed last time.
pub(super) fn names() -> Result<Vec<String>> {
    let failures = all()?;
    if failures.is_empty() {
        bail!("no failed test is recorded");
    }
    Ok(failures.into_iter().map(|failure| failure.test).collect())
}

/// Prints which tests failed. The last line is the directory to look into: the test's own if
/// only one failed.
pub(super) fn print() -> Result<()> {
    let failures = all()?;
    if failures.is_empty() {
        return Ok(());
    }
    eprintln!("\nfailed tests:");
    for failure in &failures {
        let summary_line = failure.message.lines().next().unwrap_or_default();
        eprintln!("  {}: {summary_line}", failure.test);
        if failure.is_infrastructure {
            eprintln!("    {}", machine::INFRASTRUCTURE);
        }
    }
    let infrastructure = failures.iter().filter(|failure| failure.is_infrastructure);
    let dir = match &failures[..] {
        [failure] => failure.dir.clone(),
        _ => dir(),
    };
    eprintln!(
        "{} failed, {} of them because of the host, QEMU or an image; `cargo xtask vm-test \
         --rerun-failed` runs them again. Their logs, screenshots and traces are in\n{}",
        failures.len(),
        infrastructure.count(),
        dir.display()
    );
    Ok(())
}

/// Prints the tests that failed, but passed when they were repeated, and moves what they left
/// to a directory that later rounds do not remove.
pub(super) fn keep_flaky(flaky: &[String], round: u32) -> Result<()> {
    if flaky.is_empty() {
        return Ok(());
    }
    let kept = flaky_dir().join(format!("round-{round}"));
    fs::create_dir_all(&kept).with_context(|| format!("can't create {}", kept.display()))?;
    let failures = all()?;
    eprintln!("\nflaky tests, which failed once:");
    for test in flaky {
        eprintln!("  {test}");
        let Some(failure) = failures.iter().find(|failure| failure.test == *test) else {
            eprintln!("    its first failure left no directory: it was killed, or used no machine");
            continue;
        };
        let dir = kept.join(failure.dir.file_name().unwrap_or_default());
        fs::rename(&failure.dir, &dir).with_context(|| {
            format!("can't move {} to {}", failure.dir.display(), dir.display())
        })?;
        let summary_line = failure.message.lines().next().unwrap_or_default();
        eprintln!("    {summary_line}\n    {}", dir.display());
    }
    Ok(())
}

/// A failed test.
struct Failure {
    dir: PathBuf,
    test: String,
    message: String,
    /// The host, QEMU or the image is the cause.
    is_infrastructure: bool,
}

fn all() -> Result<Vec<Failure>> {
    let dir = dir();
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("can't read {}", dir.display()))?,
    };
    let mut failures = Vec::new();
    for entry in entries {
        failures.extend(read(entry?.path()));
    }
    failures.sort_by(|one, other| one.test.cmp(&other.test));
    Ok(failures)
}

/// Reads what a test has left, which is incomplete if the test was killed meanwhile.
fn read(dir: PathBuf) -> Option<Failure> {
    let test = fs::read_to_string(dir.join("test")).ok()?;
    let message = fs::read_to_string(dir.join("message.txt")).unwrap_or_default();
    let is_infrastructure = dir.join("infrastructure").exists();
    Some(Failure {
        dir,
        test,
        message,
        is_infrastructure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_does_not_decide_what_the_cause_is() {
        let dir = tempfile::tempdir().unwrap();
        let read = || read(dir.path().to_owned());
        assert!(read().is_none(), "no test's directory");
        fs::write(dir.path().join("test"), "shell::fails").unwrap();
        fs::write(dir.path().join("message.txt"), machine::INFRASTRUCTURE).unwrap();
        assert!(!read().unwrap().is_infrastructure);
        fs::write(dir.path().join("infrastructure"), "").unwrap();
        assert!(read().unwrap().is_infrastructure);
    }
}
