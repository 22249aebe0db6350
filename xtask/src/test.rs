//! `cargo xtask test`: everything that can be checked.

use anyhow::Result;

use crate::flags::TestFlags;
use crate::util::{cargo, run_loudly};
use crate::{host, tidy, vm_test};

/// The host's packages, which the workspace is built with. Then tidiness, which is
/// quick; then what needs no machine; then the rest.
pub(crate) fn run(flags: &TestFlags) -> Result<()> {
    host::ensure(&[&host::all()[..], &host::LINT].concat(), flags.yes)?;
    tidy::run_all()?;
    run_loudly(cargo().arg("test"))?;
    vm_test::run_all(flags.yes)
}
