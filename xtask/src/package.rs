//! The packages for a registry.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::util::{cargo, run, run_visibly, workspace};

/// The published members.
const PUBLISHED: [&str; 7] = [
    "backdoor-shell",
    "qmp-mon",
    "serial-log",
    "vmwright",
    "vmwright-driver",
    "vmwright-machine",
    "vmwright-ocr",
];

/// Packages them, and builds each from its package and the packages of the others, of which
/// [earlier ones](forget_earlier) must be gone.
pub(crate) fn check() -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--quiet", "--allow-dirty"]);
    package.args(selection());
    // A package is built without the workspace's profiles. So, most dependencies exist already.
    package.env("CARGO_PROFILE_DEV_DEBUG", "false");
    run_visibly(&mut package)
}

fn selection() -> impl Iterator<Item = &'static str> {
    PUBLISHED.into_iter().flat_map(|name| ["--package", name])
}

/// Removes what cargo has kept of these packages. It takes a package in a registry for unchanged
/// while its version is, and would build others with it as it was packaged the last time.
pub(crate) fn forget_earlier() -> Result<()> {
    let packages = workspace().join("target/package");
    if packages.exists() {
        run(cargo().args(["clean", "--quiet"]).args(selection()))?;
        fs::remove_dir_all(&packages).with_context(|| packages.display().to_string())?;
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let sources = home.unwrap_or_default().join("registry/src");
    for registry in fs::read_dir(&sources).into_iter().flatten() {
        let registry = registry?;
        // The others' names begin with a host.
        if !registry.file_name().as_encoded_bytes().starts_with(b"-") {
            continue;
        }
        for name in PUBLISHED {
            let unpacked = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
            // They may have never been unpacked.
            let _ = fs::remove_dir_all(registry.path().join(unpacked));
        }
    }
    Ok(())
}
