//! Checks `--partition`: the parts contain all tests, and none twice.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{PACKAGES, VM_TESTS};
use crate::util::{cargo, run};

/// Compares the two halves of the README's example with all tests.
pub(super) fn check() -> Result<()> {
    let [one, other] = [
        tests(&["--partition", "count:1/2"])?,
        tests(&["--partition", "count:2/2"])?,
    ];
    let all = tests(&[])?;
    let is_whole = one.union(&other).eq(&all) && one.is_disjoint(&other);
    ensure!(
        is_whole,
        "count:1/2 and count:2/2 of the VM tests must contain each test once: {one:?} and {other:?}"
    );
    ensure!(
        one.len().abs_diff(other.len()) < 2,
        "count:1/2 and count:2/2 differ in size: {} and {} tests",
        one.len(),
        other.len()
    );
    eprintln!(
        "partition: {} and {} VM tests of {}",
        one.len(),
        other.len(),
        all.len()
    );
    Ok(())
}

/// The names of the tests in a partition.
fn tests(partition: &[&str]) -> Result<BTreeSet<String>> {
    let list = ["nextest", "list", "--message-format", "oneline"];
    let filter = ["--filterset", VM_TESTS];
    let listed = run(cargo()
        .args(list)
        .args(PACKAGES)
        .args(filter)
        .args(partition))?;
    let text = String::from_utf8(listed.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}
