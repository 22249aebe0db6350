//! Python packages, installed by pip into `target`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::util::{run_visibly, workspace};

/// The directory of a package, such as `mypy==2.4.1`, which is installed unless it exists.
pub(crate) fn installed(package: &str) -> Result<PathBuf> {
    let dir = workspace().join("target").join(package.replace("==", "-"));
    if !dir.is_dir() {
        let partial = dir.with_extension("partial");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--root-user-action=ignore",
        ]);
        run_visibly(pip.arg("--target").arg(&partial).arg(package))?;
        fs::rename(&partial, &dir)?;
    }
    Ok(dir)
}
