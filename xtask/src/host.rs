//! The host packages that machines and images need, installed through apt.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::util;

/// A Debian package, and the program that shows that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    name: &'static str,
    program: &'static str,
}

const fn package(name: &'static str, program: &'static str) -> Package {
    Package { name, program }
}

/// What runs machines.
pub(crate) const RUN: [Package; 2] = [
    package("qemu-system-x86", "qemu-system-x86_64"),
    package("qemu-utils", "qemu-img"),
];

/// What builds images.
pub(crate) const BUILD: [Package; 6] = [
    package("bash-static", "bash-static"),
    package("busybox-static", "busybox"),
    package("e2fsprogs", "mke2fs"),
    package("fakeroot", "fakeroot"),
    package("mmdebstrap", "mmdebstrap"),
    // mmdebstrap's way to do without root
    package("uidmap", "newuidmap"),
];

/// Sees to it that the packages are there: asks, then installs what is missing.
/// Does not ask if `yes`, or in CI.
pub(crate) fn ensure(packages: &[Package], yes: bool) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<_> = missing.iter().map(|package| package.program).collect();
    if find("apt-get").is_none() {
        bail!(
            "these programs are missing: {}. On Debian they would be installed from {}; \
             install what your distribution calls so, then try again",
            programs.join(", "),
            names(&missing).join(", ")
        );
    }
    eprintln!("missing on this host: {}", names(&missing).join(" "));
    if !yes && env::var_os("CI").is_none() {
        ask("install them with apt?")?;
    }
    util::run_loudly(apt_get()?.args(["update", "-qq"]))?;
    let install = ["install", "-qq", "-y", "--no-install-recommends"];
    util::run_loudly(apt_get()?.args(install).args(words(&missing)?))?;

    let still_missing = self::missing(packages);
    if !still_missing.is_empty() {
        bail!(
            "apt installed {} but they are not there",
            names(&still_missing).join(", ")
        );
    }
    Ok(())
}

fn missing(packages: &[Package]) -> Vec<Package> {
    packages
        .iter()
        .copied()
        .filter(|package| find(package.program).is_none())
        .collect()
}

fn names(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.name).collect()
}

/// Where a program is. The administrator's directories count, too: Debian keeps
/// `mke2fs` there, out of its users' `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let admin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(admin)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// What apt is to install.
///
/// QEMU's two packages must be of one version, and a host may come with a newer
/// `qemu-utils` that its sources no longer have: so both, in the version that
/// the sources do have.
fn words(missing: &[Package]) -> Result<Vec<String>> {
    let is_qemu = |package: &Package| RUN.contains(package);
    let mut words: Vec<String> = names(missing).into_iter().map(str::to_owned).collect();
    if missing.iter().any(is_qemu) {
        let [system, utils] = RUN.map(|package| package.name);
        let policy = util::run(Command::new("apt-cache").args(["policy", system]))?;
        let version = candidate(&String::from_utf8_lossy(&policy.stdout)).with_context(|| {
            format!("apt offers no {system}: is a Debian mirror in its sources?")
        })?;
        words.retain(|word| word != system && word != utils);
        words.push("--allow-downgrades".to_owned());
        words.extend([system, utils].map(|name| format!("{name}={version}")));
    }
    Ok(words)
}

/// The version that `apt-cache policy` says would be installed.
fn candidate(policy: &str) -> Option<String> {
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// `apt-get`, through sudo where we are not root.
fn apt_get() -> Result<Command> {
    if is_root() {
        let mut apt_get = Command::new("apt-get");
        apt_get.env("DEBIAN_FRONTEND", "noninteractive");
        return Ok(apt_get);
    }
    if find("sudo").is_none() {
        bail!("installing packages takes root, and there is no sudo: run this once as root");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(sudo)
}

/// Whether we may do as we like on this host.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|process| process.uid() == 0)
}

fn ask(question: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!("packages are missing; --yes installs them");
    }
    eprint!("{question} [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "" | "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was installed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_what_apt_would_install() {
        let policy =
            "qemu-utils:\n  Installed: 1:10.0.2\n  Candidate: 1:7.2+dfsg-7\n  Version table:\n";
        assert_eq!(candidate(policy).as_deref(), Some("1:7.2+dfsg-7"));
        assert_eq!(
            candidate("x:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn programs_are_found_in_the_path_and_beyond() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
