//! `cargo xtask tidy`: checks the rules of this repository.

mod circles;
mod features;
mod floors;
mod imports;
mod pages;
mod python;
mod shell;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::camino::Utf8Path;
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::util::{Progress, cargo, files_ending, run, sources, workspace};

/// The crates that depend on no other member.
const PROTOCOL_CRATES: [&str; 4] = ["backdoor-shell", "ocr", "qmp-mon", "serial-log"];

/// Which members a member may depend on, except for tests and examples. All are named by their
/// directories.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("machine", &PROTOCOL_CRATES),
    ("driver", &["machine"]),
    ("vmwright", &["machine"]),
    ("xtask", &["machine"]),
    ("tests", &["machine"]),
];

/// Files that convert bytes to events and back, without I/O, clock or tasks.
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

/// What these files must not contain.
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

/// The maximum length of a source file, in lines.
const LONGEST_FILE: usize = 400;

/// Checks all rules, up to the first that is broken.
pub(crate) fn run_all() -> Result<()> {
    let progress = Progress::new("tidy");
    progress.step("dependencies");
    dependencies()?;
    progress.step("imports");
    floors::check()?;
    circles::check()?;
    progress.step("codecs");
    sans_io()?;
    progress.step("lengths of files");
    short_files()?;
    progress.step("tables of operations and faults");
    tables::operations()?;
    tables::faults()?;
    tables::nixpkgs()?;
    progress.step("pages and recipes");
    pages::check()?;
    progress.step("shell scripts");
    shell::check()?;
    progress.step("Python types");
    python::check()?;
    progress.step("formatting");
    check(&["fmt", "--all", "--check"], "run `cargo fmt --all`")?;
    progress.step("features");
    features::check()?;
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
    check(&clippy, "fix the clippy warnings")?;
    progress.step("documentation");
    let doc = ["doc", "--quiet", "--workspace", "--no-deps"];
    check(&doc, "fix the rustdoc warnings")
}

/// Members depend only on the members in `MAY_USE`.
fn dependencies() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()?;
    for package in &metadata.packages {
        let member = package.manifest_path.parent().and_then(Utf8Path::file_name);
        let allowed = MAY_USE.iter().find(|(name, _)| Some(*name) == member);
        let allowed = allowed.map_or(&[][..], |(_, allowed)| allowed);
        for dependency in &package.dependencies {
            // Only members are dependencies by path.
            let Some(used) = dependency.path.as_deref().and_then(Utf8Path::file_name) else {
                continue;
            };
            if dependency.kind != DependencyKind::Development && !allowed.contains(&used) {
                bail!(
                    "{} must not depend on {used}: see ARCHITECTURE.md",
                    package.name
                );
            }
        }
    }
    Ok(())
}

/// The protocol crates' codecs do no I/O and read no clock.
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
        "there are no files {missing:?}: update `SANS_IO`"
    );
    Ok(())
}

fn check_sans_io(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file)?;
    // Unit tests are exempt.
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (line, number) in code.lines().zip(1..) {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(found) = IO.iter().find(|io| code.contains(**io)) {
            bail!(
                "{}:{number}: a codec must not use `{found}`",
                file.display()
            );
        }
    }
    Ok(())
}

/// Source files are at most `LONGEST_FILE` lines long.
fn short_files() -> Result<()> {
    let python = files_ending(&workspace().join("driver/python"), "py")?;
    for file in sources(&workspace())?.into_iter().chain(python) {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > LONGEST_FILE {
            bail!(
                "{} has {lines} lines, more than {LONGEST_FILE}: split it by concern",
                file.display()
            );
        }
    }
    Ok(())
}

fn check(arguments: &[&str], advice: &'static str) -> Result<()> {
    run(cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings")).context(advice)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_in_a_codec_is_found_except_in_comments_and_tests() {
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
    fn members_depend_only_on_allowed_members() {
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
