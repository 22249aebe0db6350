//! Checks `--archive`: another checkout runs both halves of two tests from an archive, without
//! compiling or booting.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::archive;
use crate::flags::Image;
use crate::image;
use crate::util::{run, workspace};

/// The beginning of the names of two tests that clone the template of the smallest image.
const TESTS: &str = "templates::clones_are";

/// Archives the smallest image with its template, and runs the tests elsewhere.
pub(super) fn check(accelerator: &str, yes: bool) -> Result<()> {
    if let Err(error) = archive::check_for_changes() {
        eprintln!("archives of tests are not checked: {error:#}");
        return Ok(());
    }
    let image = Image::Minimal;
    image::ensure(&[image], yes)?;
    super::build()?;
    run(Command::new(std::env::current_exe()?)
        .args(["template", image.name()])
        .env("VM_ACCEL", accelerator))?;
    let dir = tempfile::tempdir()?;
    let (file, checkout) = (dir.path().join("tests.tar"), dir.path().join("checkout"));
    let templates = archive::templates(&format!("{}-", image.name()))?;
    archive::make(&file, &[image], &templates, accelerator)?;
    let mut clone = Command::new("git");
    run(clone
        .args(["clone", "--quiet"])
        .arg(workspace())
        .arg(&checkout))?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(&file);
    run(tar.arg("--directory").arg(&checkout).arg(archive::XTASK))?;
    for part in ["count:1/2", "count:2/2"] {
        let xtask = checkout.join(archive::XTASK);
        let mut tests = Command::new(xtask);
        tests
            .args(["vm-test", TESTS, "--partition", part, "--from-archive"])
            .arg(&file)
            .current_dir(&checkout)
            .env("VM_ACCEL", accelerator)
            .env_remove("CARGO_MANIFEST_DIR");
        let printed = run(&mut tests)?.stderr;
        let printed = String::from_utf8_lossy(&printed);
        ensure!(printed.contains(" 1 passed"), "no test passed:\n{printed}");
    }
    let used = directories(&checkout.join("target/vm/templates"))?;
    ensure!(
        used.iter()
            .all(|dir| templates.contains(&format!("templates/{dir}"))),
        "a template in an archive does not fit on the same host: {used:?} are not {templates:?}"
    );
    eprintln!("archive: another checkout has run both halves of its tests");
    Ok(())
}

fn directories(dir: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
