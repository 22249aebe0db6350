//! Host packages, installed through apt.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use machine::OwnNamespace;

use crate::util;

/// A Debian package, and a program or an absolute path in it: the package is installed if
/// that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    name: &'static str,
    program: &'static str,
}

const fn package(name: &'static str, program: &'static str) -> Package {
    Package { name, program }
}

/// To run machines: QEMU's two packages.
pub(crate) const RUN: [Package; 2] = [
    package("qemu-system-x86", "qemu-system-x86_64"),
    package("qemu-utils", "qemu-img"),
];

/// To start machines from kernels.
pub(crate) const KERNEL: [Package; 3] = [
    package("bash-static", "bash-static"),
    package("busybox-static", "busybox"),
    package("e2fsprogs", "mke2fs"),
];

/// To connect machines by a network.
pub(crate) const VLAN: [Package; 1] = [package("vde2", "vde_switch")];

/// To run containers, and connect them to networks.
pub(crate) const CONTAINER: [Package; 2] = [
    package("iproute2", "ip"),
    package("systemd-container", "systemd-nspawn"),
];

/// To build the driver, and run scripts.
pub(crate) const PYTHON: [Package; 2] = [
    package("python3", "python3"),
    package("python3-dev", "python3-config"),
];

/// To test the variables of EFI firmware.
const EFI: [Package; 1] = [package("ovmf", "/usr/share/OVMF/OVMF_VARS_4M.fd")];

/// To test guests without an operating system.
const GRUB: [Package; 1] = [package(
    "grub-rescue-pc",
    "/usr/lib/grub-rescue/grub-rescue-cdrom.iso",
)];

/// To evaluate the Nix files.
const NIX: [Package; 1] = [package("nix-bin", "nix-instantiate")];

/// To test the trace page.
pub(crate) const BROWSER: [Package; 2] = [
    package("chromium", "chromium"),
    package("chromium-driver", "chromedriver"),
];

/// To fetch the schema of JUnit reports, and check reports against it.
const SCHEMA: [Package; 2] = [package("curl", "curl"), package("libxml2-utils", "xmllint")];

/// To pack and unpack archives of tests.
pub(crate) const ARCHIVE: [Package; 1] = [package("zstd", "zstd")];

/// To check shell scripts, and to install what checks Python.
pub(crate) const LINT: [Package; 2] = [
    package("shellcheck", "shellcheck"),
    package("python3-pip", "pip3"),
];

/// To build and test the whole repository, without images and lints.
pub(crate) fn all() -> Vec<Package> {
    [
        &RUN[..],
        &KERNEL,
        &VLAN,
        &CONTAINER,
        &OCR,
        &PYTHON,
        &BROWSER,
        &SCHEMA,
        &EFI,
        &GRUB,
        &NIX,
    ]
    .concat()
}

/// To build the crate `ocr`, and read screens.
pub(crate) const OCR: [Package; 6] = [
    // For its headers, and libclang, which generates the bindings to C.
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

/// To compare `ocr` with the programs that another driver reads screens with.
pub(crate) const OTHER_OCR: [Package; 2] = [
    package("imagemagick", "/usr/bin/convert"),
    package("tesseract-ocr", "tesseract"),
];

/// For virtme-ng, to find modules.
pub(crate) const VIRTME_NG: [Package; 1] = [package("kmod", "modprobe")];

/// To build images.
pub(crate) const BUILD: [Package; 7] = [
    package("dosfstools", "mkfs.fat"),
    package("fakeroot", "fakeroot"),
    package("mmdebstrap", "mmdebstrap"),
    package("mtools", "mcopy"),
    package("syslinux", "syslinux"),
    package("syslinux-common", "/usr/lib/syslinux/mbr/mbr.bin"),
    // lets mmdebstrap run without root
    package("uidmap", "newuidmap"),
];

/// Installs the missing ones of `packages`. Asks first, unless `yes` is true or in CI.
pub(crate) fn ensure(packages: &[Package], yes: bool) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|package| package.program).collect();
    if find("apt-get").is_none() {
        bail!(
            "these programs and files are missing: {}. Install them: there is no apt here, but \
             Debian's packages are {}",
            programs.join(", "),
            names(&missing).join(", ")
        );
    }
    eprintln!(
        "these programs and files are missing: {}",
        programs.join(", ")
    );
    if !yes && !is_ci() {
        ask(&format!("install {}?", names(&missing).join(", ")))?;
    }
    install(&missing)?;

    let still_missing = self::missing(packages);
    if !still_missing.is_empty() {
        let packages = names(&still_missing).join(", ");
        bail!("apt installed {packages}, but their programs and files are still missing");
    }
    for qemu in missing.iter().filter(|package| RUN.contains(package)) {
        util::run(Command::new(qemu.program).arg("--version"))?;
    }
    Ok(())
}

/// Whether this runs in a CI system, by its usual environment variable.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some()
}

fn missing(packages: &[Package]) -> Vec<Package> {
    let is_missing = |package: &&Package| find(package.program).is_none();
    packages.iter().filter(is_missing).copied().collect()
}

fn names(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.name).collect()
}

/// The path of a program, searched in `PATH` and in the directories for administrators, which
/// are not in the `PATH` of Debian's users.
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
    util::run_visibly(&mut apt_get.command(&["update", "-qq"]))?;
    let version = candidate_of(RUN[0].name)?;
    let words = install_arguments(packages, version.as_deref())?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let install = ["install", "-qq", "-y", "--no-install-recommends"];
    util::run_visibly(&mut apt_get.command(&[&install, &words[..]].concat()))
}

/// apt-get, run directly or through sudo.
struct Apt {
    through_sudo: bool,
}

impl Apt {
    /// Fails if this user can't install packages; the error has the command to run as root.
    fn find(packages: &[Package]) -> Result<Self> {
        let through_sudo = !is_root();
        if through_sudo && find("sudo").is_none() {
            let version = candidate_of(RUN[0].name)?;
            let words = install_arguments(packages, version.as_deref())?.join(" ");
            bail!(
                "installing packages needs root, and there is no sudo. As root, run:\n  \
                 apt-get update && apt-get install --no-install-recommends {words}"
            );
        }
        Ok(Self { through_sudo })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // sudo removes variables from the environment, but not from its command line.
        let mut command = Command::new(if self.through_sudo { "sudo" } else { "env" });
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments)
            // Standard output is for the task's own results.
            .stdout(io::stderr());
        command
    }
}

/// The arguments of `apt-get install`.
///
/// QEMU's two packages must have the same version, but a host may have a newer `qemu-utils`
/// than its package sources. So both are installed, in the version of the sources.
fn install_arguments(missing: &[Package], qemu_version: Option<&str>) -> Result<Vec<String>> {
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

/// The candidate version in the output of `apt-cache policy`.
fn candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|process| process.uid() == 0)
}

/// Whether this process runs as root, and not in a user namespace.
pub(crate) fn is_root_of_host() -> bool {
    is_root() && OwnNamespace::read().is_ok_and(|namespace| namespace.is_of_host())
}

/// Whether this process runs as root, on the host or in a user namespace that containers can be in.
pub(crate) fn is_root_of_containers() -> bool {
    is_root() && OwnNamespace::read().is_ok_and(|namespace| namespace.has_ids_for_containers())
}

fn ask(question: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!("{question} Standard input is not a terminal: use --yes to answer yes");
    }
    eprint!("{question} [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "" | "y" | "Y" | "yes" => Ok(()),
        _ => bail!("packages are missing, and were not installed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read_from_the_policy() {
        let policy = "qemu-utils:\n  Installed: 1:10.0.2\n  Candidate: 1:7.2+dfsg-7\n  Version table:\n *** 1:10.0.2 100\n";
        assert_eq!(candidate(policy).as_deref(), Some("1:7.2+dfsg-7"));
        let unknown = "x:\n  Installed: (none)\n  Candidate: (none)\n";
        assert_eq!(candidate(unknown), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn both_qemu_packages_are_installed_in_the_same_version() {
        let missing = [RUN[0], package("fakeroot", "fakeroot")];
        let expected = [
            "fakeroot",
            "--allow-downgrades",
            "qemu-system-x86=1:7.2",
            "qemu-utils=1:7.2",
        ];
        assert_eq!(
            install_arguments(&missing, Some("1:7.2")).unwrap(),
            expected
        );
        assert!(
            install_arguments(&missing, None).is_err(),
            "unknown version"
        );
    }

    #[test]
    fn the_qemu_version_is_not_needed_for_other_packages() {
        let missing = [package("fakeroot", "fakeroot")];
        assert_eq!(install_arguments(&missing, None).unwrap(), ["fakeroot"]);
    }

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert!(find("sh").is_some());
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert!(find("/no/such/file").is_none());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
