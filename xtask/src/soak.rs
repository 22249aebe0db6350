//! `cargo xtask soak`: many clones and commands, to find leaks.

use anyhow::Result;

use crate::flags::{Image, SoakFlags};
use crate::host;
use crate::image;
use crate::util::{cargo, run_visibly, vm_dir};
use crate::vm_test::accelerator;

/// Fails if a process, a descriptor, a file or memory leaks.
pub(crate) fn run(flags: &SoakFlags) -> Result<()> {
    host::ensure(&[&host::RUN[..], &host::OCR].concat(), flags.yes)?;
    image::ensure(&[Image::Minimal], flags.yes)?;
    let mut command = cargo();
    command
        .args(["run", "--package", "vm-tests"])
        .args(["--example", "soak", "--"])
        .args([flags.clones, flags.commands].map(|count| count.to_string()))
        .env("VM_IMAGES", vm_dir())
        .env("VM_ACCEL", accelerator()?);
    run_visibly(&mut command)
}
