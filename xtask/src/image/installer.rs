//! The image `installer`: kernel and initrds of Debian's installer, as they are for a start from
//! the network.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Recipe;
use crate::util::{Progress, run};

const PACKAGE: &str = "debian-installer-12-netboot-amd64";

/// Where the package has the files, in the directory of the text or the graphical installer.
const DIR: &str = "usr/lib/debian-installer/images/12/amd64";
const SUBDIR: &str = "debian-installer/amd64";

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || vec![include_str!("installer.rs")],
    build,
};

fn build(dir: &Path, progress: &Progress) -> Result<()> {
    progress.step("fetching Debian's installer");
    let work = tempfile::tempdir()?;
    let work = work.path();
    run(Command::new("apt-get")
        .args(["download", "-q", PACKAGE])
        .current_dir(work))?;
    let mut files = fs::read_dir(work)?;
    let package = files.next().context("apt downloaded nothing")??.path();
    let unpacked = work.join("unpacked");
    run(Command::new("dpkg-deb")
        .arg("-x")
        .args([&package, &unpacked]))?;
    let images = unpacked.join(DIR);
    for (file, name) in [
        ("text/SUBDIR/linux", "vmlinuz"),
        ("text/SUBDIR/initrd.gz", "text.gz"),
        ("gtk/SUBDIR/initrd.gz", "graphical.gz"),
    ] {
        fs::copy(images.join(file.replace("SUBDIR", SUBDIR)), dir.join(name))?;
    }
    Ok(())
}
