//! `cargo xtask tidy`: the rules that code can check.

mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::util::{Progress, cargo, run, workspace};

/// The crates that are each useful alone.
const PROTOCOL_CRATES: [&str; 4] = ["backdoor-shell", "ocr", "qmp-mon", "serial-log"];

/// Which member may use which, but for tests and examples.
const MAY_USE: [(&str, &[&str]); 4] = [
    ("machine", &PROTOCOL_CRATES),
    ("driver", &["machine"]),
    ("xtask", &["machine"]),
    ("vm-tests", &["machine"]),
];

/// Files that turn bytes into events and back: no I/O, no clock, no task.
const SANS_IO: [&str; 9] = [
    "base64_stream.rs",
    "codec.rs",
    "event_log.rs",
    "frame.rs",
    "grammar.rs",
    "history.rs",
    "keys.rs",
    "readline.rs",
    "request.rs",
];

/// What such a file must not name.
const IO: [&str; 8] = [
    "tokio::",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "async fn",
];

/// The longest source file that needs no reason, in lines.
const LONGEST_FILE: usize = 400;

/// Checks every rule; the first that is broken ends it.
pub(crate) fn run_all() -> Result<()> {
    let progress = Progress::new("tidy");
    progress.step("who uses whom");
    dependencies()?;
    progress.step("codecs without I/O");
    sans_io()?;
    progress.step("short files");
    short_files()?;
    progress.step("every operation has a test, and every fault");
    tables::operations()?;
    tables::faults()?;
    progress.step("formatting");
    check(&["fmt", "--all", "--check"], "run `cargo fmt --all`")?;
    progress.step("machine without ocr");
    let without_ocr = [
        "check",
        "--quiet",
        "--package",
        "machine",
        "--no-default-features",
    ];
    check(
        &without_ocr,
        "the feature `ocr` of `machine` must be optional",
    )?;
    progress.step("machine with report alone");
    let with_report = [&without_ocr[..], &["--features", "report"]].concat();
    check(
        &with_report,
        "the feature `report` of `machine` must need no other",
    )?;
    progress.step("driver without Python");
    let without_python = [
        "check",
        "--quiet",
        "--package",
        "driver",
        "--no-default-features",
    ];
    check(
        &without_python,
        "the feature `python` of `driver` must be optional",
    )?;
    progress.step("clippy");
    let clippy = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    check(&clippy, "mend what clippy found")?;
    progress.step("documentation");
    let doc = ["doc", "--quiet", "--workspace", "--no-deps"];
    check(&doc, "mend what rustdoc found")
}

/// A member uses only the members that it may.
fn dependencies() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()?;
    let members: Vec<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in &metadata.packages {
        let allowed = MAY_USE
            .iter()
            .find(|(member, _)| *member == package.name.as_str());
        let allowed = allowed.map_or(&[][..], |(_, allowed)| allowed);
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let is_member =
                members.contains(&name) && dependency.kind != DependencyKind::Development;
            if is_member && !allowed.contains(&name) {
                bail!("{} must not use {name}: see ARCHITECTURE.md", package.name);
            }
        }
    }
    Ok(())
}

/// The protocol crates' codecs do no I/O and know no time.
fn sans_io() -> Result<()> {
    let mut missing = BTreeSet::from(SANS_IO);
    for member in PROTOCOL_CRATES {
        for file in sources(&workspace().join(member).join("src"))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if SANS_IO.contains(&name.as_ref()) {
                check_sans_io(&file)?;
                missing.remove(&*name);
            }
        }
    }
    ensure!(
        missing.is_empty(),
        "no codec was found in {missing:?}: name the files in `SANS_IO` as they are now"
    );
    Ok(())
}

fn check_sans_io(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file)?;
    // A file's own tests may do as they like.
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (line, number) in code.lines().zip(1..) {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(found) = IO.iter().find(|io| code.contains(**io)) {
            bail!(
                "{}:{number}: a codec does no I/O and knows no time, but here is `{found}`",
                file.display()
            );
        }
    }
    Ok(())
}

/// No source file is a drawer for everything.
fn short_files() -> Result<()> {
    let python = files(&workspace().join("driver/python"), "py")?;
    for file in sources(&workspace())?.into_iter().chain(python) {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > LONGEST_FILE {
            bail!(
                "{} has {lines} lines; cut it where its concerns part",
                file.display()
            );
        }
    }
    Ok(())
}

/// All Rust files below `dir`.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    files(dir, "rs")
}

/// All files of a kind below `dir`, but for what is built and what is hidden.
fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("can't read {}", dir.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    Ok(found)
}

fn check(arguments: &[&str], advice: &'static str) -> Result<()> {
    run(cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings")).context(advice)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_in_a_codec_is_found_and_in_its_comments_and_tests_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("codec.rs");
        fs::write(
            &file,
            "// tokio::net\nfn pure() {}\n#[cfg(test)]\nuse tokio::net;\n",
        )
        .unwrap();
        check_sans_io(&file).unwrap();
        fs::write(&file, "use std::fs::File;\n").unwrap();
        let error = check_sans_io(&file).unwrap_err();
        assert!(error.to_string().contains("codec.rs:1"), "{error}");
    }

    #[test]
    fn members_use_only_what_they_may() {
        dependencies().unwrap();
    }

    #[test]
    fn codecs_do_no_io() {
        sans_io().unwrap();
    }

    #[test]
    fn files_are_short() {
        short_files().unwrap();
    }
}
