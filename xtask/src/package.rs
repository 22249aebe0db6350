//! The packages for a registry.

use anyhow::Result;

use crate::util::{cargo, run_visibly};

/// The members that are for this repository only.
const UNPUBLISHED: [&str; 2] = ["vm-tests", "xtask"];

/// Packages all other members, and builds each from its package alone.
pub(crate) fn check() -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--quiet", "--workspace", "--allow-dirty"]);
    for member in UNPUBLISHED {
        package.args(["--exclude", member]);
    }
    // A package is built without the workspace's profiles. This one's dependencies exist already.
    package.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    run_visibly(&mut package)
}
