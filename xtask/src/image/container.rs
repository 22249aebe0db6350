//! The image `container`: the root directory of containers, which is that of the image
//! `systemd`, in `target/vm/container/root`.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Recipe, systemd};
use crate::flags::Image;
use crate::host::find;
use crate::util::{Progress, run};

/// What only machines use: modules, and the root shell at a virtio console.
const MACHINES: [&str; 4] = [
    "usr/lib/modules",
    "usr/local/sbin/backdoor",
    "etc/systemd/system/backdoor.service",
    "etc/systemd/system/multi-user.target.wants/backdoor.service",
];

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || {
        [
            vec![include_str!("container.rs")],
            (systemd::RECIPE.inputs)(),
        ]
        .concat()
    },
    build,
};

/// Copies the system from the disk of the image `systemd`, which exists already.
fn build(dir: &Path, progress: &Progress) -> Result<()> {
    progress.step("copying the system from the image systemd");
    let root = dir.join("root");
    fs::create_dir(&root)?;
    let debugfs = find("debugfs").context("debugfs is missing")?;
    run(Command::new(debugfs)
        .args(["-R", &format!("rdump / \"{}\"", root.display())])
        .arg(Image::Systemd.dir().join("disk.raw")))?;
    for path in MACHINES.map(|path| root.join(path)) {
        let removed = match path.symlink_metadata() {
            Ok(file) if file.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != NotFound => {
                return Err(error).with_context(|| format!("can't remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
