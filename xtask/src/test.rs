//! `cargo xtask test`: all checks and tests.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::Result;

use crate::flags::TestFlags;
use crate::util::{cargo, run_visibly};
use crate::{demo, host, package, tidy, vm_test};

/// Installs the host's packages, then runs the quickest first: `tidy`, the tests without
/// virtual machines, the packages of the crates, the demo, the tests with machines.
pub(crate) fn run(flags: &TestFlags) -> Result<()> {
    let packages = [&host::all()[..], &host::ARCHIVE, &host::LINT].concat();
    host::ensure(&packages, flags.yes)?;
    let images = build_images()?;
    tidy::run_all()?;
    // It removes what the tests are built from.
    package::forget_earlier()?;
    run_visibly(cargo().args(["test", "--no-run"]))?;
    // The tests often wait: the packages are built meanwhile.
    thread::scope(|scope| {
        let packages = scope.spawn(package::check);
        run_visibly(cargo().arg("test"))?;
        packages.join().expect("no panic")
    })?;
    for mut image in images {
        // `vm_test` builds again what could not be built, and shows the reason.
        let _ = image.wait();
    }
    demo::check(flags.yes)?;
    vm_test::run_all(flags.yes)
}

/// Builds the guest images in the background: installing packages keeps one core busy, or
/// none. It goes on if a check fails meanwhile, for the next run.
fn build_images() -> Result<Vec<Child>> {
    eprintln!("building the guest images in the background");
    // The first of them waits for the image that the second builds.
    let builds = ["--all", "cloud"].map(|images| {
        Command::new(std::env::current_exe()?)
            .args(["image", images])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    Ok(builds.into_iter().collect::<io::Result<_>>()?)
}
