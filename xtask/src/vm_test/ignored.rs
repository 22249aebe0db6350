//! Ignored tests, which run if the host has what they need.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum as _;

use super::runner::Tests;
use crate::flags::Image;
use crate::host::{self, is_root, is_root_of_containers, is_root_of_host};
use crate::util::{sources, workspace};

/// What a test may need, as in `#[ignore = "needs …"]`. The name of an image may follow, which is
/// built for this test only: `needs --all-guests: cloud-sid`.
const REFERENCE_DRIVER: &str = "needs VM_REFERENCE_DRIVER";
const SCHEMA: &str = "needs the JUnit schema";
const MOUNT: &str = "needs to mount file systems";
const VIRTIOFSD: &str = "needs virtiofsd";
const VSOCK: &str = "needs vhost-device-vsock";
const NAMESPACES: &str = "needs mount namespaces";
const CONTAINERS: &str = "needs containers";
const CONTAINER_NETWORKS: &str = "needs containers and /dev/net/tun";
const CONTAINERS_OF_ROOT: &str = "needs containers, /dev/net/tun and root of the host";
const ALL_GUESTS: &str = "needs --all-guests";

/// The daemon, as in Debian's package `qemu-system-common`. Only root may run it.
const VIRTIOFSD_PATH: &str = "/usr/lib/qemu/virtiofsd";

/// Other reasons begin with this: a test starts the ignored one, in a process of its own.
const RUN_BY: &str = "run by ";

/// An ignored test.
#[derive(Debug, PartialEq, Eq)]
struct Ignored {
    test: String,
    reason: String,
}

impl Ignored {
    /// The reason without an image.
    fn need(&self) -> &str {
        self.reason.split(": ").next().unwrap_or_default()
    }

    /// The image that is built for it.
    fn image(&self) -> Result<Option<Image>> {
        let Some((_, name)) = self.reason.split_once(": ") else {
            return Ok(None);
        };
        let image = Image::from_str(name, false);
        image
            .map(Some)
            .map_err(|error| anyhow!("{}: {error}", self.test))
    }
}

/// The images that are built for some of `tests` only.
pub(super) fn images(tests: &Tests<'_>) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    for test in all()? {
        match test.image()? {
            Some(image) if tests.include(&test.test) && !images.contains(&image) => {
                images.push(image);
            }
            _ => {}
        }
    }
    Ok(images)
}

/// The ignored tests that are not to be run. Prints those of `tests` whose need is not met.
pub(super) fn excluded(
    tests: &Tests<'_>,
    has_schema: bool,
    all_guests: bool,
) -> Result<Vec<String>> {
    let can_mount = can_mount()?;
    let has_mount_namespaces = has_mount_namespaces();
    // In a user namespace, too.
    let has_containers =
        is_root_of_containers() && has_mount_namespaces && host::find("systemd-nspawn").is_some();
    let is_met = BTreeMap::from([
        (
            REFERENCE_DRIVER,
            std::env::var_os("VM_REFERENCE_DRIVER").is_some(),
        ),
        (SCHEMA, has_schema),
        (MOUNT, can_mount),
        (VIRTIOFSD, can_mount && Path::new(VIRTIOFSD_PATH).exists()),
        (VSOCK, host::find("vhost-device-vsock").is_some()),
        (NAMESPACES, has_mount_namespaces),
        (CONTAINERS, has_containers),
        (CONTAINER_NETWORKS, has_containers && has_tun()),
        (
            CONTAINERS_OF_ROOT,
            has_containers && has_tun() && is_root_of_host(),
        ),
        (ALL_GUESTS, all_guests),
    ]);
    let mut excluded = Vec::new();
    for ignored in all()? {
        let (test, need) = (&ignored.test, ignored.need());
        match is_met.get(need) {
            Some(true) => continue,
            Some(false) if tests.include(test) => {
                eprintln!("skipped: {test}: it {need}{}", hint(need));
            }
            None if !need.starts_with(RUN_BY) => {
                bail!("{test} is ignored for a reason that is not in {}", file!())
            }
            _ => {}
        }
        excluded.push(ignored.test);
    }
    Ok(excluded)
}

/// What lets an ordinary user meet a need.
fn hint(need: &str) -> &'static str {
    if need.starts_with(CONTAINERS) && !is_root_of_containers() {
        ", which take root, or a user namespace with enough ids: see docs/containers.md#without-root"
    } else {
        ""
    }
}

/// The ignored tests in `tests/vm`.
fn all() -> Result<Vec<Ignored>> {
    let dir = workspace().join("tests/vm");
    let mut found = Vec::new();
    for path in sources(&dir)? {
        let module = path.strip_prefix(&dir)?.with_extension("");
        let module = module.to_string_lossy().replace('/', "::");
        found.extend(in_source(&module, &fs::read_to_string(&path)?));
    }
    Ok(found)
}

/// Those in a module's source.
fn in_source(module: &str, text: &str) -> Vec<Ignored> {
    let mut reason = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[ignore = \"") {
            reason = rest.strip_suffix("\"]");
        } else if let Some(name) = function(line)
            && let Some(reason) = reason.take()
        {
            found.push(Ignored {
                test: format!("{module}::{name}"),
                reason: reason.to_owned(),
            });
        }
    }
    found
}

/// The name of the function that begins in a line.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split('(').next()
}

/// Whether this process may mount a file system.
fn can_mount() -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "tmpfs"]).arg(dir.path());
    // The reason for a failure does not matter.
    let is_mounted = mount.output().is_ok_and(|output| output.status.success());
    if is_mounted {
        crate::util::run(Command::new("umount").arg(dir.path()))?;
    }
    Ok(is_mounted)
}

/// Whether this process may create network cards.
fn has_tun() -> bool {
    fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .is_ok()
}

/// Whether a program can have a mount namespace of its own, as an ordinary user in one of users.
fn has_mount_namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--mount", "true"]);
    unshare.output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_tests_are_found_with_their_reasons() {
        let text = "\
#[test]
#[ignore = \"needs the JUnit schema\"]
fn one() {}
fn helper() {}
#[tokio::test]
#[ignore = \"run by one\"]
#[expect(clippy::unused_async, reason = \"a test\")]
async fn two() {}
#[test]
fn three() {}
";
        let ignored = |test: &str, reason: &str| Ignored {
            test: test.to_owned(),
            reason: reason.to_owned(),
        };
        assert_eq!(
            in_source("a::b", text),
            [
                ignored("a::b::one", SCHEMA),
                ignored("a::b::two", "run by one")
            ]
        );
    }

    #[test]
    fn every_reason_is_known() {
        for it in all().unwrap() {
            let needs = [
                REFERENCE_DRIVER,
                SCHEMA,
                MOUNT,
                VIRTIOFSD,
                VSOCK,
                NAMESPACES,
                CONTAINERS,
                CONTAINER_NETWORKS,
                CONTAINERS_OF_ROOT,
                ALL_GUESTS,
            ];
            assert!(
                needs.contains(&it.need()) || it.need().starts_with(RUN_BY),
                "{it:?}"
            );
        }
    }

    #[test]
    fn images_are_built_for_the_tests_that_are_run() {
        assert_eq!(
            images(&Tests::Like("other_inits")).unwrap(),
            [Image::OtherInit]
        );
        assert_eq!(images(&Tests::Like("first_test")).unwrap(), []);
        // The others are built for all tests.
        let images = images(&Tests::All).unwrap();
        for image in Image::value_variants() {
            assert_ne!(
                images.contains(image),
                Image::USUAL.contains(image),
                "{image:?}"
            );
        }
    }
}
