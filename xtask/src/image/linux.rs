//! The image `linux`: Debian's kernel, its configuration, and the modules that tests need.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Recipe;
use super::kernel::{GUEST_MODULES, Kernel};
use crate::util::{Progress, run};

/// Modules besides those of other images' guests: for overlays, and one that nothing needs.
const MODULES: [&str; 2] = ["overlay", "dummy"];

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || vec![include_str!("linux.rs")],
    build,
};

/// The modules are in an archive, because an image has no directories.
fn build(dir: &Path, progress: &Progress) -> Result<()> {
    progress.step("fetching Debian's kernel");
    let unpacked = tempfile::tempdir()?;
    let kernel = Kernel::unpack(unpacked.path())?;
    fs::copy(kernel.vmlinuz(), dir.join("vmlinuz"))?;
    let config = format!("config-{}", kernel.version());
    fs::copy(unpacked.path().join("boot").join(&config), dir.join(config))?;

    let lists = ["modules.dep", "modules.builtin"].map(|name| kernel.modules_dir().join(name));
    let modules = kernel.modules(&[&GUEST_MODULES[..], &MODULES].concat())?;
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(unpacked.path());
    tar.arg("-cf").arg(dir.join("modules.tar"));
    for file in lists.iter().chain(&modules) {
        tar.arg(file.strip_prefix(unpacked.path())?);
    }
    run(&mut tar)?;
    Ok(())
}
