//! `cargo xtask bench`: benchmarks, each with what it is compared with.

use std::env;
use std::iter;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::flags::{Bench, Image};
use crate::host::{self, Package};
use crate::image;
use crate::pip;
use crate::util::{cargo, run_visibly, vm_dir};
use crate::vm_test::{self, accelerator};

/// What guests with the host's root are compared with.
const VIRTME_NG: &str = "virtme-ng==1.42";

/// Installs and builds what a benchmark needs, and runs it.
pub(crate) fn run(bench: Bench, part: Option<String>, yes: bool) -> Result<()> {
    ensure!(
        part.is_none() || matches!(bench, Bench::Ocr | Bench::Waits),
        "only `ocr` and `waits` have parts"
    );
    let (package, target, images): (_, _, &[Image]) = match bench {
        Bench::Suite => return suite(yes),
        Bench::Clone => ("vm-tests", "clone", &[Image::Systemd, Image::Cloud]),
        Bench::Commands => ("vm-tests", "commands", &[Image::Minimal, Image::Systemd]),
        Bench::Containers => (
            "vm-tests",
            "containers",
            &[Image::Systemd, Image::Container],
        ),
        Bench::Faults => ("vm-tests", "faults", &[Image::Minimal]),
        Bench::Guests => ("vm-tests", "guests", &[Image::Linux]),
        Bench::Ocr => ("vmwright-ocr", "corpus", &[]),
        Bench::SerialLog => ("serial-log", "throughput", &[]),
        Bench::Trace => ("vm-tests", "trace", &[]),
        Bench::Waits => ("vm-tests", "waits", &[Image::Systemd, Image::Desktop]),
    };
    host::ensure(&host_packages(bench), yes)?;
    image::ensure(images, yes)?;
    let mut packages = vec!["--package", package];
    if matches!(bench, Bench::Waits) {
        // For the waits of scripts. Both builds are of both packages, and so of the same features.
        packages.extend(["--package", "vmwright-driver"]);
        let mut driver = cargo();
        driver.args(["build", "--profile", "bench", "--bin", "driver"]);
        run_visibly(driver.args(&packages))?;
    }
    let mut command = cargo();
    command.args(["bench", "--bench", target]).args(&packages);
    command.arg("--").args(part);
    if !images.is_empty() {
        command.env("VM_IMAGES", vm_dir());
        command.env("VM_ACCEL", accelerator()?);
    }
    if matches!(bench, Bench::Guests) {
        let virtme_ng = pip::installed(VIRTME_NG)?;
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = iter::once(virtme_ng.join("bin")).chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(dirs)?);
        command.env("PYTHONPATH", virtme_ng);
    }
    run_visibly(&mut command)
}

fn host_packages(bench: Bench) -> Vec<Package> {
    match bench {
        Bench::Clone | Bench::Commands | Bench::Faults => [&host::RUN[..], &host::OCR].concat(),
        Bench::Containers => [&host::RUN[..], &host::OCR, &host::CONTAINER].concat(),
        Bench::Guests => [
            &host::RUN[..],
            &host::KERNEL,
            &host::OCR,
            &host::LINT,
            &host::VIRTME_NG,
        ]
        .concat(),
        Bench::Waits => [&host::RUN[..], &host::OCR, &host::OTHER_OCR, &host::PYTHON].concat(),
        Bench::Ocr => [&host::OCR[..], &host::OTHER_OCR].concat(),
        Bench::SerialLog => Vec::new(),
        Bench::Trace => [&host::OCR[..], &host::BROWSER].concat(),
        Bench::Suite => host::all(),
    }
}

/// Runs all VM tests three times: with a boot for each machine (except in tests of templates),
/// with clones while making the templates, and with clones of existing templates.
fn suite(yes: bool) -> Result<()> {
    host::ensure(&host_packages(Bench::Suite), yes)?;
    image::ensure(&Image::USUAL, yes)?;
    vm_test::build()?;
    let booting = timed("off", "with a boot for each machine")?;
    vm_test::clean()?;
    for how in ["with clones, making their templates", "with clones"] {
        let cloning = timed("on", how)?;
        println!("ratio {:.2}", cloning.div_duration_f64(booting));
    }
    Ok(())
}

/// Runs all VM tests, and returns the time if they pass.
fn timed(templates: &str, how: &'static str) -> Result<Duration> {
    let mut xtask = Command::new(env::current_exe()?);
    let start = Instant::now();
    run_visibly(xtask.arg("vm-test").env("VM_TEMPLATES", templates)).context(how)?;
    let took = start.elapsed();
    let minutes = took.as_secs_f64() / 60.0;
    println!("all VM tests, {how}: {minutes:.1} minutes");
    Ok(took)
}
