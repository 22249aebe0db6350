//! Paths, running programs, showing progress.

use std::env;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;

/// The repository's top directory: the one that this program was built in if cargo runs it,
/// and otherwise the current one or the nearest above.
pub(crate) fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = xtask.parent().unwrap_or(xtask);
    if env::var_os("CARGO_MANIFEST_DIR").is_some_and(|package| package == xtask) {
        return built.to_owned();
    }
    let current = env::current_dir().unwrap_or_default();
    let mut dirs = current.ancestors();
    let found = dirs.find(|dir| dir.join("xtask/Cargo.toml").is_file());
    found.unwrap_or(built).to_owned()
}

/// The directory of images: `target/vm` of the repository, even if cargo's target directory is
/// another.
pub(crate) fn vm_dir() -> PathBuf {
    workspace().join("target").join("vm")
}

/// The cargo that started this program, to be run in the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// The Rust files below `dir`.
pub(crate) fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    files_ending(dir, "rs")
}

/// The files below `dir` with an extension.
pub(crate) fn files_ending(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    files(dir, &|path| {
        path.extension().is_some_and(|it| it == extension)
    })
}

/// The `wanted` files below `dir`, except those in `target` and in hidden directories.
pub(crate) fn files(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("can't read {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, wanted)?);
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a program without showing its output. If it fails, the error has the last lines.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("can't run {}", shown(command)))?;
    if !output.status.success() {
        let printed = [&output.stdout[..], &output.stderr[..]].concat();
        let printed = String::from_utf8_lossy(&printed);
        let lines: Vec<&str> = printed.lines().collect();
        let end = lines[lines.len().saturating_sub(30)..].join("\n  ");
        bail!("{} failed ({}):\n  {end}", shown(command), output.status);
    }
    Ok(output)
}

/// Runs a program with this program's standard streams. Fails if it fails.
pub(crate) fn run_visibly(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("can't run {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// Shows the current step on standard error: in one changing line on a terminal, otherwise in a
/// line for each.
pub(crate) struct Progress {
    bar: ProgressBar,
    subject: String,
}

impl Progress {
    /// Each line begins with `subject`.
    pub(crate) fn new(subject: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            subject: subject.to_owned(),
        }
    }

    /// Shows the next step.
    pub(crate) fn step(&self, step: &str) {
        let line = format!("{}: {step}", self.subject);
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.set_message(line);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
