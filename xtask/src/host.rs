//! The host packages that machines and images need, installed through apt.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::util;

/// A Debian package, and the program, or the file with its whole path, that shows
/// that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    name: &'static str,
    program: &'static str,
}

const fn package(name: &'static str, program: &'static str) -> Package {
    Package { name, program }
}

/// What runs machines: QEMU's two packages.
pub(crate) const RUN: [Package; 2] = [
    package("qemu-system-x86", "qemu-system-x86_64"),
    package("qemu-utils", "qemu-img"),
];

/// What machines are on a network with.
pub(crate) const VLAN: [Package; 1] = [package("vde2", "vde_switch")];

/// What the driver is built with, to run scripts.
pub(crate) const PYTHON: [Package; 2] = [
    package("python3", "python3"),
    package("python3-dev", "python3-config"),
];

/// What the trace page is looked at with.
pub(crate) const BROWSER: [Package; 2] = [
    package("chromium", "chromium"),
    package("chromium-driver", "chromedriver"),
];

/// What the schema of reports is fetched and used with.
const SCHEMA: [Package; 2] = [package("curl", "curl"), package("libxml2-utils", "xmllint")];

/// The linter of shell scripts.
pub(crate) const LINT: [Package; 1] = [package("shellcheck", "shellcheck")];

/// What all of this repository is built and tested with.
pub(crate) fn all() -> Vec<Package> {
    [&RUN[..], &VLAN, &OCR, &PYTHON, &BROWSER, &SCHEMA].concat()
}

/// What the crate `ocr` is built with, and reads with.
pub(crate) const OCR: [Package; 6] = [
    // For its headers, and libclang, by which bindings to C are made.
    package("clang", "clang"),
    package(
        "console-setup-linux",
        "/usr/share/consolefonts/Lat15-Terminus16.psf.gz",
    ),
    package("libleptonica-dev", "/usr/include/leptonica/allheaders.h"),
    package("libtesseract-dev", "/usr/include/tesseract/capi.h"),
    package("pkg-config", "pkg-config"),
    package(
        "tesseract-ocr-eng",
        "/usr/share/tesseract-ocr/5/tessdata/eng.traineddata",
    ),
];

/// What another driver reads screens with: a benchmark's other side.
pub(crate) const OTHER_OCR: [Package; 2] = [
    package("imagemagick", "/usr/bin/convert"),
    package("tesseract-ocr", "tesseract"),
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
    let programs: Vec<&str> = missing.iter().map(|package| package.program).collect();
    if find("apt-get").is_none() {
        bail!(
            "these programs and files are missing: {}. There is no apt to install them: they are what \
             Debian has in {}",
            programs.join(", "),
            names(&missing).join(", ")
        );
    }
    eprintln!(
        "these programs and files are missing: {}",
        programs.join(", ")
    );
    if !yes && env::var_os("CI").is_none() {
        ask(&format!("install {}?", names(&missing).join(", ")))?;
    }
    install(&missing)?;

    let still_missing = self::missing(packages);
    if !still_missing.is_empty() {
        let packages = names(&still_missing).join(", ");
        bail!("apt installed {packages}, but what was missing is not there");
    }
    for qemu in missing.iter().filter(|package| RUN.contains(package)) {
        util::run(Command::new(qemu.program).arg("--version"))?;
    }
    Ok(())
}

fn missing(packages: &[Package]) -> Vec<Package> {
    let is_missing = |package: &&Package| find(package.program).is_none();
    packages.iter().filter(is_missing).copied().collect()
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

fn install(packages: &[Package]) -> Result<()> {
    let apt_get = Apt::find(packages)?;
    util::run_loudly(&mut apt_get.command(&["update", "-qq"]))?;
    let version = candidate_of(RUN[0].name)?;
    let words = words(packages, version.as_deref())?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let install = ["install", "-qq", "-y", "--no-install-recommends"];
    util::run_loudly(&mut apt_get.command(&[&install, &words[..]].concat()))
}

/// How to run apt-get: as we are, or through sudo.
struct Apt {
    through_sudo: bool,
}

impl Apt {
    /// Fails, with what to run as root, if `packages` cannot be installed from here.
    fn find(packages: &[Package]) -> Result<Self> {
        let through_sudo = !is_root();
        if through_sudo && find("sudo").is_none() {
            let version = candidate_of(RUN[0].name)?;
            let words = words(packages, version.as_deref())?.join(" ");
            bail!(
                "installing takes root, and there is no sudo. As root, run:\n  \
                 apt-get update && apt-get install --no-install-recommends {words}"
            );
        }
        Ok(Self { through_sudo })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Through sudo, only what is on its own command line gets there.
        let mut command = Command::new(if self.through_sudo { "sudo" } else { "env" });
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments)
            // Standard output is for what was asked for.
            .stdout(io::stderr());
        command
    }
}

/// What apt is to install.
///
/// QEMU's two packages must be of one version, and a host may come with a newer
/// `qemu-utils` that its sources no longer have: so both, in the version of
/// QEMU that the sources do have.
fn words(missing: &[Package], qemu_version: Option<&str>) -> Result<Vec<String>> {
    let (qemu, others): (Vec<Package>, Vec<Package>) =
        missing.iter().partition(|package| RUN.contains(package));
    let mut words: Vec<String> = names(&others).into_iter().map(str::to_owned).collect();
    if !qemu.is_empty() {
        let version = qemu_version.with_context(|| {
            format!(
                "apt offers no {}: run `apt-get update` as root, then try again",
                RUN[0].name
            )
        })?;
        words.push("--allow-downgrades".to_owned());
        words.extend(RUN.map(|package| format!("{}={version}", package.name)));
    }
    Ok(words)
}

/// The version of a package that apt would install.
fn candidate_of(package: &str) -> Result<Option<String>> {
    let output = util::run(Command::new("apt-cache").args(["policy", package]))?;
    Ok(candidate(&String::from_utf8_lossy(&output.stdout)))
}

/// The version that `apt-cache policy` says would be installed.
fn candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
}

/// Whether we are root on this host.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|process| process.uid() == 0)
}

fn ask(question: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to ask: {question} With --yes it is done without asking");
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
        let policy = "qemu-utils:\n  Installed: 1:10.0.2\n  Candidate: 1:7.2+dfsg-7\n  Version table:\n *** 1:10.0.2 100\n";
        assert_eq!(candidate(policy).as_deref(), Some("1:7.2+dfsg-7"));
        let unknown = "x:\n  Installed: (none)\n  Candidate: (none)\n";
        assert_eq!(candidate(unknown), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn qemu_is_installed_as_a_pair_of_one_version() {
        let missing = [RUN[0], package("fakeroot", "fakeroot")];
        let expected = [
            "fakeroot",
            "--allow-downgrades",
            "qemu-system-x86=1:7.2",
            "qemu-utils=1:7.2",
        ];
        assert_eq!(words(&missing, Some("1:7.2")).unwrap(), expected);
        assert!(words(&missing, None).is_err(), "no version to ask for");
    }

    #[test]
    fn without_qemu_its_version_does_not_matter() {
        let missing = [package("fakeroot", "fakeroot")];
        assert_eq!(words(&missing, None).unwrap(), ["fakeroot"]);
    }

    #[test]
    fn programs_are_found_in_the_path_and_beyond() {
        assert!(find("sh").is_some());
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert!(find("/no/such/file").is_none());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
