//! `cargo xtask fuzz`: fuzzes the parsers of guest output.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::flags::FuzzFlags;
use crate::host;
use crate::util::{run_visibly, workspace};

/// The crates with a directory `fuzz`.
const FUZZED: [&str; 4] = ["backdoor-shell", "ocr", "qmp-mon", "serial-log"];

/// Fuzzes the target of the flags, or all, one after the other. Installs nothing.
pub(crate) fn run(flags: &FuzzFlags) -> Result<()> {
    if host::find("cargo-fuzz").is_none() {
        bail!(
            "cargo-fuzz is not installed: `rustup toolchain install nightly` and \
             `cargo install cargo-fuzz`"
        );
    }
    let mut known = Vec::new();
    for name in FUZZED {
        for target in targets(name)? {
            if flags.target.as_ref().is_none_or(|wanted| *wanted == target) {
                fuzz(name, &target, flags.seconds)?;
            }
            known.push(target);
        }
    }
    match &flags.target {
        Some(target) if !known.contains(target) => {
            bail!("no target {target}: there are {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

/// New inputs go to a directory below `target`, which git ignores.
fn fuzz(name: &str, target: &str, seconds: u32) -> Result<()> {
    let dir = workspace().join(name);
    let [found, corpus] =
        ["fuzz/target/corpus", "fuzz/corpus"].map(|dir| format!("{dir}/{target}"));
    fs::create_dir_all(dir.join(&found)).with_context(|| format!("can't make {found}"))?;
    // The cargo of rustup, which selects the toolchain by `+nightly`.
    let mut fuzz = Command::new("cargo");
    fuzz.current_dir(dir).env_remove("RUSTUP_TOOLCHAIN");
    fuzz.args(["+nightly", "fuzz", "run", target, &found, &corpus, "--"]);
    // An input that takes longer than this, in seconds, is a finding, too.
    fuzz.args([&format!("-max_total_time={seconds}"), "-timeout=10"]);
    run_visibly(&mut fuzz)
}

fn targets(name: &str) -> Result<Vec<String>> {
    let dir = workspace().join(name).join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&dir).with_context(|| format!("can't read {}", dir.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        targets.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    targets.sort();
    Ok(targets)
}
