//! A container's `/etc/hosts`, which it may change: a file in its state directory.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::ErrorKind;
use crate::host::files::{at, write_readable};
use crate::host::root_dir::RootDir;

/// The most bytes of the container's `/etc/hosts` that are kept.
const MAX_HOSTS: u64 = 1 << 20;

/// Writes a container's file in its state directory `state`, and returns its path: its root's own
/// and the lines `nodes`. At later starts, these replace those of the last one. `owner` is the id
/// of the container's root, unless it is that of this process.
pub(super) fn write(
    state: &Path,
    lower: &Path,
    nodes: &str,
    owner: Option<u32>,
) -> Result<PathBuf, ErrorKind> {
    let [hosts, written] = ["hosts", "hosts-nodes"].map(|name| state.join(name));
    let before = match File::open(&written) {
        Ok(before) => Some(read(before).map_err(at(&written))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(&written)(error)),
    };
    let text = match before {
        // The container may have changed other lines.
        Some(before) if before == nodes => return Ok(hosts),
        Some(before) => {
            let text = File::open(&hosts).and_then(read).map_err(at(&hosts))?;
            without(&text, &before)
        }
        None => hosts_of(lower),
    };
    write_readable(&hosts, &(text + nodes), owner)?;
    fs::write(&written, nodes).map_err(at(&written))?;
    Ok(hosts)
}

fn read(file: File) -> io::Result<String> {
    let mut text = Vec::new();
    file.take(MAX_HOSTS).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Full lines of a text, but for the lines of another one.
fn without(text: &str, others: &str) -> String {
    let kept = text
        .lines()
        .filter(|line| !others.lines().any(|other| other == *line));
    kept.flat_map(|line| [line, "\n"]).collect()
}

/// The container's own `/etc/hosts`, or the least that one has.
fn hosts_of(lower: &Path) -> String {
    let hosts = RootDir::open(lower).and_then(|root| root.file("etc/hosts"));
    let hosts = hosts.and_then(read).unwrap_or_default();
    if hosts.is_empty() {
        return "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    }
    without(&hosts, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_nodes_replace_those_of_the_last_start() {
        let [state, root] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/hosts"), "::1 localhost").unwrap();
        let hosts = state.path().join("hosts");
        let started = |nodes| {
            let written = write(state.path(), root.path(), nodes, None).unwrap();
            assert_eq!(written, hosts);
            fs::read_to_string(&hosts).unwrap()
        };
        let both = "192.168.1.1 one\n192.168.1.2 two\n";
        assert_eq!(started(both), format!("::1 localhost\n{both}"));
        let changed = format!("::1 localhost\n{both}10.0.0.1 own\n");
        fs::write(&hosts, &changed).unwrap();
        assert_eq!(started(both), changed);
        let other = "192.168.1.1 two\n";
        assert_eq!(
            started(other),
            format!("::1 localhost\n10.0.0.1 own\n{other}")
        );
    }

    #[test]
    fn a_root_without_hosts_gets_some() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            hosts_of(root.path()),
            "127.0.0.1 localhost\n::1 localhost\n"
        );
    }
}
