//! That several CI machines which share the VM tests leave none out.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::util::{cargo, run};

/// Compares the halves, as the README has them, with the whole.
pub(super) fn check() -> Result<()> {
    let [one, other] = [
        tests(&["--partition", "count:1/2"])?,
        tests(&["--partition", "count:2/2"])?,
    ];
    let all = tests(&[])?;
    let is_whole = one.union(&other).eq(&all) && one.is_disjoint(&other);
    ensure!(
        is_whole,
        "the halves of the VM tests are not the whole: {one:?} and {other:?}"
    );
    ensure!(
        one.len().abs_diff(other.len()) < 2,
        "the halves are no halves"
    );
    eprintln!(
        "partition: {} and {} VM tests of {}",
        one.len(),
        other.len(),
        all.len()
    );
    Ok(())
}

/// The names of tests, one a line.
fn tests(partition: &[&str]) -> Result<BTreeSet<String>> {
    let list = [
        "nextest",
        "list",
        "--package",
        "vm-tests",
        "--message-format",
        "oneline",
    ];
    let listed = run(cargo().args(list).args(partition))?;
    let text = String::from_utf8(listed.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}
