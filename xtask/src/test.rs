//! `cargo xtask test`: all checks and tests.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::Result;
use rustix::process::nice;

use crate::flags::TestFlags;
use crate::util::{cargo, run_visibly};
use crate::{demo, host, package, tidy, vm_test};

/// Installs the host's packages, and makes the guests while it runs the quickest first: `tidy`, the
/// tests without virtual machines, the packages of the crates. Then the demo, and the tests with
/// machines.
pub(crate) fn run(flags: &TestFlags) -> Result<()> {
    let packages = [&host::all()[..], &host::ARCHIVE, &host::LINT].concat();
    host::ensure(&packages, flags.yes)?;
    let guests = make_guests()?;
    // The guests take longest, by one process after the other: they are preferred to the rest.
    let _ = nice(5);
    tidy::run_all()?;
    // It removes what the tests are built from.
    package::forget_earlier()?;
    run_visibly(cargo().args(["test", "--no-run"]))?;
    // These tests often wait: the packages and the other tests are built meanwhile.
    thread::scope(|scope| {
        let built = scope.spawn(|| package::check().and_then(|()| vm_test::build()));
        run_visibly(cargo().arg("test"))?;
        built.join().expect("no panic")
    })?;
    for mut guest in guests {
        // `vm_test` makes again what could not be made, and shows the reason.
        let _ = guest.wait();
    }
    demo::check(flags.yes)?;
    vm_test::run_all(flags.yes)
}

/// Makes the guest images and their templates in the background: much of it waits for the network
/// or uses one core. It goes on if a check fails meanwhile, for the next run.
fn make_guests() -> Result<Vec<Child>> {
    eprintln!("making the guest images and their templates in the background");
    let task = if vm_test::uses_templates() {
        "template"
    } else {
        "image"
    };
    // Probed before other programs keep the host busy.
    let accelerator = vm_test::accelerator()?;
    // The first of them waits for what the second makes.
    let tasks = ["--all", "cloud"].map(|images| {
        Command::new(std::env::current_exe()?)
            .args([task, images])
            .env("VM_ACCEL", accelerator)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    Ok(tasks.into_iter().collect::<io::Result<_>>()?)
}
