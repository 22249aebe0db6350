//! `cargo xtask test`: all checks and tests.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::Result;

use crate::flags::TestFlags;
use crate::util::{cargo, run_visibly};
use crate::{host, tidy, vm_test};

/// Installs the host's packages, then runs the quickest first: `tidy`, the tests without
/// virtual machines, the tests with them.
pub(crate) fn run(flags: &TestFlags) -> Result<()> {
    host::ensure(&[&host::all()[..], &host::LINT].concat(), flags.yes)?;
    let mut images = build_images()?;
    tidy::run_all()?;
    run_visibly(cargo().arg("test"))?;
    test_huge_image()?;
    // `vm_test` builds again what could not be built, and shows the reason.
    let _ = images.wait();
    vm_test::run_all(flags.yes)
}

/// Reads a huge image, which `cargo test` ignores, if there is enough memory.
fn test_huge_image() -> Result<()> {
    const NEEDED: u64 = 4 << 20;
    let info = fs::read_to_string("/proc/meminfo")?;
    let available = info.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemAvailable:")?.trim();
        kibibytes.strip_suffix(" kB")?.parse::<u64>().ok()
    });
    if available.is_none_or(|kibibytes| kibibytes < NEEDED) {
        eprintln!("skipped: a_huge_image_does_no_harm: it needs 4 GiB of memory");
        return Ok(());
    }
    let mut test = cargo();
    test.args(["test", "--package", "ocr", "--test", "reading"]);
    run_visibly(test.args(["--", "--ignored"]))
}

/// Builds the guest images in the background: installing packages keeps one core busy, or
/// none. It goes on if a check fails meanwhile, for the next run.
fn build_images() -> Result<Child> {
    eprintln!("building the guest images in the background");
    let mut task = Command::new(std::env::current_exe()?);
    task.args(["image", "--all"]);
    task.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(task.spawn()?)
}
