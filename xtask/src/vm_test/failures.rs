//! What is left of the tests that failed: a directory for each, which the tests make
//! themselves (`tests/src/failure.rs`).

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::util::vm_dir;

/// Where it is.
pub(super) fn dir() -> PathBuf {
    vm_dir().join("failures")
}

/// Removes what is left of an earlier run.
pub(super) fn forget() -> Result<()> {
    match fs::remove_dir_all(dir()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", dir().display()))
        }
        _ => Ok(()),
    }
}

/// The names of the tests that failed last time.
pub(super) fn names() -> Result<Vec<String>> {
    let failures = all()?;
    if failures.is_empty() {
        bail!("no test failed last time, as far as is known");
    }
    Ok(failures.into_iter().map(|failure| failure.test).collect())
}

/// Says what failed and where to look: the last line is the directory, of the test if only
/// one has failed.
pub(super) fn tell() -> Result<()> {
    let failures = all()?;
    if failures.is_empty() {
        return Ok(());
    }
    eprintln!("\nwhat failed:");
    for failure in &failures {
        let Failure { test, story, .. } = failure;
        let gist = story.lines().next().unwrap_or_default();
        eprintln!("  {test}: {gist}");
        if failure.is_infrastructure() {
            eprintln!("    {}", machine::INFRASTRUCTURE);
        }
    }
    let infrastructure = failures.iter();
    let infrastructure = infrastructure.filter(|failure| failure.is_infrastructure());
    let place = match &failures[..] {
        [failure] => failure.dir.clone(),
        _ => dir(),
    };
    eprintln!(
        "{} failed, {} of them by the host, QEMU or an image; `cargo xtask vm-test --rerun-failed` \
         runs them again. Their logs, screens and traces are in\n{}",
        failures.len(),
        infrastructure.count(),
        place.display()
    );
    Ok(())
}

/// A test that failed.
struct Failure {
    dir: PathBuf,
    test: String,
    story: String,
}

impl Failure {
    fn is_infrastructure(&self) -> bool {
        self.story.contains(machine::INFRASTRUCTURE)
    }
}

fn all() -> Result<Vec<Failure>> {
    let dir = dir();
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("can't read {}", dir.display()))?,
    };
    let mut failures = Vec::new();
    for entry in entries {
        let dir = entry?.path();
        // Whoever was killed while it wrote has left less.
        if let Ok(test) = fs::read_to_string(dir.join("test")) {
            let story = fs::read_to_string(dir.join("story.txt")).unwrap_or_default();
            failures.push(Failure { dir, test, story });
        }
    }
    failures.sort_by(|one, other| one.test.cmp(&other.test));
    Ok(failures)
}
