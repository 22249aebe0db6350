//! The QEMU processes of a test, found in `/proc`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::TEST;

/// A running QEMU of a test.
pub(super) struct Running {
    proc: PathBuf,
    /// Its current directory.
    pub(super) state: PathBuf,
}

impl Running {
    pub(super) fn name(&self) -> String {
        name_of(&self.state)
    }

    /// The command line, quoted for a shell.
    pub(super) fn command_line(&self) -> String {
        let words = fs::read(self.proc.join("cmdline")).unwrap_or_default();
        let words = words
            .split(|&byte| byte == 0)
            .filter(|word| !word.is_empty());
        let quoted = words.map(|word| {
            let word = String::from_utf8_lossy(word);
            machine::quote(&word).map_or_else(|_| word.to_string(), |quoted| quoted.to_string())
        });
        quoted.collect::<Vec<_>>().join(" ") + "\n"
    }
}

/// The state directories of machines without a running QEMU: this process has locked them.
/// Empty unless the test has a process of its own, because other tests' directories cannot be
/// distinguished.
pub(super) fn states_without(running: &[Running]) -> Vec<PathBuf> {
    if std::env::var_os("NEXTEST").is_none() {
        return Vec::new();
    }
    let descriptors = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let mut states: Vec<_> = descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter(|path| is_state(path) && path.is_dir())
        .filter(|state| running.iter().all(|machine| machine.state != *state))
        .collect();
    states.sort();
    states.dedup();
    states
}

fn is_state(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_bytes().starts_with(b"vm-state-")
}

/// The name of the machine that has a state directory.
pub(super) fn name_of(state: &Path) -> String {
    let state = state.file_name().unwrap_or_default().to_string_lossy();
    state.strip_prefix("vm-state-").unwrap_or(&state).to_owned()
}

/// The running QEMUs of a test: children of the supervisors, which are this process's children.
pub(super) fn machines_of(test: &str) -> Vec<Running> {
    let ours = OsString::from(std::process::id().to_string());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_test = processes.map(|entry| entry.path()).filter(|process| {
        let grandparent =
            parent(process).and_then(|parent| self::parent(&Path::new("/proc").join(parent)));
        grandparent.is_some_and(|grandparent| ours == *grandparent) && is_of(process, test)
    });
    let running = of_test.filter_map(|proc| {
        let state = fs::read_link(proc.join("cwd")).ok()?;
        Some(Running { proc, state })
    });
    running.collect()
}

/// The PID of a process's parent (proc(5), `/proc/PID/stat`).
fn parent(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1).map(str::to_owned)
}

/// Whether the process is a QEMU that does not belong to another test.
fn is_of(process: &Path, test: &str) -> bool {
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default();
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let prefix = format!("{TEST}=");
    let mut variables = environment.split(|&byte| byte == 0);
    let owner = variables.find_map(|variable| variable.strip_prefix(prefix.as_bytes()));
    name.as_bytes().starts_with(b"qemu-system")
        && owner.is_none_or(|owner| owner == test.as_bytes())
}
