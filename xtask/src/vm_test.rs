//! `cargo xtask vm-test`: the tests on real virtual machines.

use std::env;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum as _;

use crate::flags::VmTestFlags;
use crate::image::{self, Image};
use crate::util::{run_loudly, workspace};
use crate::{host, util};

/// Runs all tests of the workspace, those on virtual machines among them, with
/// all that they need installed and built before.
pub(crate) fn run(flags: &VmTestFlags) -> Result<()> {
    host::ensure(&host::RUN, flags.yes)?;
    image::ensure(Image::value_variants(), flags.yes)?;

    let mut tests = test_runner();
    tests
        .current_dir(workspace())
        .env("VM_IMAGES", util::vm_dir());
    // Probed once here, not by each test.
    tests.env("VM_ACCEL", accelerator()?);
    tests.args(&flags.filter);
    run_loudly(&mut tests)
}

/// nextest where it is installed, else cargo's own.
fn test_runner() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut runner = Command::new(cargo);
    if host::find("cargo-nextest").is_some() {
        runner.args(["nextest", "run", "--package", "vm-tests"]);
    } else {
        // Each test boots machines of its own: two at a time are enough.
        runner
            .args(["test", "--package", "vm-tests", "--"])
            .env("RUST_TEST_THREADS", "2");
    }
    runner
}

fn accelerator() -> Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let accelerator = runtime.block_on(machine::accelerator());
    eprintln!("accelerator: {}", accelerator.name());
    Ok(accelerator.name())
}
