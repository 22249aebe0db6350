//! What a container leaves on the host.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What containers of this name have on the host: control groups, mounts, directories. No other
/// test may have a container of the name, since tests run at the same time.
pub(super) fn traces(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let file_name = entry.file_name().to_string_lossy().into_owned();
            if file_name.starts_with(&format!("vmwright-{name}-")) {
                found.push(entry.path().display().to_string());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(entry.path());
            }
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let state = format!("vm-state-{name}");
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&state))
            .map(str::to_owned),
    );
    let nspawn = Path::new("/run/systemd/nspawn");
    for dir in ["propagate", "unix-export"].map(|dir| nspawn.join(dir).join(name)) {
        found.extend(dir.exists().then(|| dir.display().to_string()));
    }
    found
}

/// Processes whose mounts are in the directory: those of its containers.
pub(super) fn processes_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        if mounts.contains(&*dir.to_string_lossy()) {
            found.push(fs::read_to_string(entry.path().join("comm")).unwrap_or_default());
        }
    }
    found
}

/// Names of network cards of this host.
pub(super) fn network_cards() -> Vec<String> {
    let cards = fs::read_dir("/sys/class/net").unwrap();
    let mut cards: Vec<_> = cards
        .map(|card| card.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    cards.sort();
    cards
}

/// The processes whose command line has `word`.
pub(super) fn processes_with(word: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path().join("cmdline");
        let line = fs::read(path).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(word) && !line.contains("--exact") {
            found.push(line);
        }
    }
    Ok(found)
}
