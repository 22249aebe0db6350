//! `cargo xtask test`: all checks and tests.

use anyhow::Result;

use crate::flags::TestFlags;
use crate::util::{cargo, run_visibly};
use crate::{host, tidy, vm_test};

/// Installs the host's packages, then runs the quickest first: `tidy`, the tests without
/// virtual machines, the tests with them.
pub(crate) fn run(flags: &TestFlags) -> Result<()> {
    host::ensure(&[&host::all()[..], &host::LINT].concat(), flags.yes)?;
    tidy::run_all()?;
    run_visibly(cargo().arg("test"))?;
    vm_test::run_all(flags.yes)
}
