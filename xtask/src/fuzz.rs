//! `cargo xtask fuzz`: whatever a guest may send, for as long as one likes.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::flags::FuzzFlags;
use crate::host;
use crate::util::{run_loudly, workspace};

/// Each has its targets in a `fuzz` of its own.
const FUZZED: [&str; 4] = ["backdoor-shell", "ocr", "qmp-mon", "serial-log"];

/// Fuzzes the targets of that name, or all, one after the other. It installs nothing.
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

/// What is found on the way is kept where git does not see it, beside what is built.
fn fuzz(name: &str, target: &str, seconds: u32) -> Result<()> {
    let dir = workspace().join(name);
    let [found, kept] = ["fuzz/target/corpus", "fuzz/corpus"].map(|dir| format!("{dir}/{target}"));
    fs::create_dir_all(dir.join(&found)).with_context(|| format!("can't make {found}"))?;
    // rustup's cargo, and not the one of this program's toolchain.
    let mut fuzz = Command::new("cargo");
    fuzz.current_dir(dir).env_remove("RUSTUP_TOOLCHAIN");
    fuzz.args(["+nightly", "fuzz", "run", target, &found, &kept, "--"]);
    // An input that takes so many seconds is a find, too.
    fuzz.args([&format!("-max_total_time={seconds}"), "-timeout=10"]);
    run_loudly(&mut fuzz)
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
