//! The image `other-init`: archives of Debian systems without systemd, and of one whose initrd was
//! made by dracut.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Recipe;
use crate::host::is_root;
use crate::util::{Progress, run};

const SUITE: &str = "bookworm";

/// The name of each archive, and its packages.
const SYSTEMS: [(&str, &str); 4] = [
    ("sysvinit", "sysvinit-core"),
    ("openrc", "sysvinit-core,openrc"),
    ("runit", "runit-init,getty-run"),
    (
        "dracut",
        "dbus,dracut,kmod,linux-image-cloud-amd64,systemd-sysv,udev",
    ),
];

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || vec![include_str!("other_init.rs")],
    build,
};

fn build(dir: &Path, progress: &Progress) -> Result<()> {
    let mode = if is_root() { "root" } else { "unshare" };
    for (name, packages) in SYSTEMS {
        progress.step(&format!("installing Debian's packages for {name}"));
        run(Command::new("mmdebstrap")
            .arg(format!("--mode={mode}"))
            .args(["--quiet", "--variant=minbase", "--format=tar"])
            .arg(format!("--include={packages}"))
            .args([SUITE, "-"])
            .stdout(File::create(dir.join(format!("{name}.tar")))?))?;
    }
    Ok(())
}
