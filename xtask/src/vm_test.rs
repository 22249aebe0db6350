//! `cargo xtask vm-test`: the tests on real virtual machines.

use std::fs;
use std::num::NonZero;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::host;
use crate::image::{self, Image};
use crate::util::{cargo, run_loudly, vm_dir};

/// Runs the tests on virtual machines whose name contains `filter`, with all
/// that they need installed and built before.
pub(crate) fn run(filter: Option<&str>, yes: bool) -> Result<()> {
    host::ensure(&host::all(), yes)?;
    image::ensure(Image::value_variants(), yes)?;
    run_loudly(cargo().args(["build", "--package", "driver"]))?;
    run_loudly(
        test_runner()
            .args(filter)
            .env("VM_IMAGES", vm_dir())
            // Probed once here, not by each test.
            .env("VM_ACCEL", accelerator()?),
    )
}

/// Removes the templates, but for those that machines use.
pub(crate) fn clean() -> Result<()> {
    let templates = vm_dir().join("templates");
    machine::Template::clear(&templates)
        .with_context(|| format!("can't clear {}", templates.display()))
}

/// nextest where it is installed, else cargo's own.
fn test_runner() -> Command {
    let mut runner = cargo();
    let threads = threads().to_string();
    if host::find("cargo-nextest").is_some() {
        runner.args(["nextest", "run", "--package", "vm-tests"]);
        runner.args(["--test-threads", &threads]);
    } else {
        runner.args(["test", "--package", "vm-tests", "--"]);
        runner.env("RUST_TEST_THREADS", threads);
    }
    runner
}

/// How many tests run at once: two for each core, as most of a test is waiting, if
/// each may have a gigabyte.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = memory.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemAvailable:")?.trim();
        kibibytes.split(' ').next()?.parse::<usize>().ok()
    });
    let fitting = free.map_or(usize::MAX, |kibibytes| kibibytes >> 20);
    fitting.min(2 * cores).max(1)
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
