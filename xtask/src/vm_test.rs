//! `cargo xtask vm-test`: the tests on real virtual machines.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum as _;

use crate::host;
use crate::image::{self, Image};
use crate::util::{cargo, run_loudly, vm_dir};

/// Runs the tests on virtual machines whose name contains `filter`, with all
/// that they need installed and built before.
pub(crate) fn run(filter: Option<&str>, yes: bool) -> Result<()> {
    host::ensure(&[&host::RUN[..], &host::OCR].concat(), yes)?;
    image::ensure(Image::value_variants(), yes)?;
    run_loudly(
        test_runner()
            .args(filter)
            .env("VM_IMAGES", vm_dir())
            // Probed once here, not by each test.
            .env("VM_ACCEL", accelerator()?),
    )
}

/// nextest where it is installed, else cargo's own.
fn test_runner() -> Command {
    let mut runner = cargo();
    if host::find("cargo-nextest").is_some() {
        runner.args(["nextest", "run", "--package", "vm-tests"]);
    } else {
        // Each test boots machines of its own, and each takes a core.
        runner
            .args(["test", "--package", "vm-tests", "--"])
            .env("RUST_TEST_THREADS", "2");
    }
    runner
}

/// What machines are to run with, probed once.
pub(crate) fn accelerator() -> Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let accelerator = runtime.block_on(machine::accelerator());
    eprintln!("accelerator: {}", accelerator.name());
    Ok(accelerator.name())
}
