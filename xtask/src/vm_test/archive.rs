//! `--archive`: all that other machines need to run the tests, in one file.
//!
//! It is a tar file of the members below. Only they are compressed, so that one can be read
//! without the others.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{PACKAGES, VM_TESTS};
use crate::flags::Image;
use crate::util::{Progress, cargo, run, vm_dir, workspace};

/// [`About`] in JSON.
pub(super) const ABOUT: &str = "about.json";

/// This program, where it does not disturb a checkout.
pub(super) const XTASK: &str = "target/xtask";

/// The compiled tests, and the programs that they run: an archive of nextest's.
pub(super) const TESTS: &str = "tests.tar.zst";

/// Directories of `target/vm`: the images and their templates.
pub(super) const IMAGES: &str = "images.tar.zst";

/// All members, in their order.
pub(super) const MEMBERS: [&str; 4] = [ABOUT, XTASK, TESTS, IMAGES];

/// What an archive was made from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) commit: String,
    pub(super) host: Host,
    /// The names of the images.
    pub(super) images: Vec<String>,
}

/// What templates depend on besides their images.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Host {
    qemu: String,
    accelerator: String,
    /// It does not matter for emulated guests.
    processor: Option<String>,
}

impl Host {
    /// This host, with the accelerator of this name.
    pub(super) fn here(accelerator: &str) -> Result<Self> {
        let version = run(Command::new("qemu-system-x86_64").arg("--version"))?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors
            .lines()
            .find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split(": ").nth(1));
        Ok(Self {
            qemu: version.lines().next().unwrap_or_default().to_owned(),
            accelerator: accelerator.to_owned(),
            processor: model.filter(|_| accelerator == "kvm").map(str::to_owned),
        })
    }

    /// As people read it.
    pub(super) fn shown(&self) -> String {
        let parts = [
            Some(&self.qemu),
            Some(&self.accelerator),
            self.processor.as_ref(),
        ];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(", ")
    }
}

/// The checkout's commit.
pub(super) fn commit() -> Result<String> {
    git(&["rev-parse", "HEAD"])
}

/// Fails if files have been changed since the commit: on other machines, the compiled tests
/// would read those of the commit.
pub(super) fn check_for_changes() -> Result<()> {
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    ensure!(
        changed.is_empty(),
        "an archive is for checkouts of one commit, so commit these changes first:\n{changed}"
    );
    Ok(())
}

fn git(args: &[&str]) -> Result<String> {
    let output = run(Command::new("git").args(args).current_dir(workspace()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim_end().to_owned())
}

/// Writes the archive `file` of the compiled tests, these images and [`templates`].
pub(super) fn make(
    file: &Path,
    images: &[Image],
    templates: &[String],
    accelerator: &str,
) -> Result<()> {
    let start = Instant::now();
    let about = About {
        commit: commit()?,
        host: Host::here(accelerator)?,
        images: images.iter().map(|image| image.name().to_owned()).collect(),
    };
    let progress = Progress::new("archive");
    let dir = tempfile::tempdir_in(vm_dir())?;
    fs::write(dir.path().join(ABOUT), serde_json::to_vec_pretty(&about)?)?;
    // Not a link: cargo replaces the program when it is built again.
    fs::create_dir(dir.path().join("target"))?;
    fs::copy(std::env::current_exe()?, dir.path().join(XTASK))?;
    progress.step("the compiled tests");
    pack_tests(&dir.path().join(TESTS))?;
    progress.step("the images and their templates");
    pack_images(&dir.path().join(IMAGES), images, templates)?;
    progress.step("the file");
    write(file, dir.path()).with_context(|| format!("can't write {}", file.display()))?;
    drop(progress);
    eprintln!(
        "{}: {} MiB, in {} s. In a checkout of the same commit on another machine, run\n  \
         tar -xf FILE {XTASK} && {XTASK} vm-test --from-archive FILE --partition count:1/2",
        file.display(),
        fs::metadata(file)?.len() >> 20,
        start.elapsed().as_secs(),
    );
    Ok(())
}

fn pack_tests(archive: &Path) -> Result<()> {
    let filter = ["--filterset", VM_TESTS];
    let mut nextest = cargo();
    nextest
        .args(["nextest", "archive"])
        .args(PACKAGES)
        .args(filter);
    run(nextest.arg("--archive-file").arg(archive)).map(drop)
}

/// Templates contain their guests' memory, most of which is zero. Their keys contain the
/// modification times of images, in nanoseconds.
fn pack_images(archive: &Path, images: &[Image], templates: &[String]) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=posix", "--sparse"])
        .arg("--use-compress-program=zstd --fast --threads=0 --quiet")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(vm_dir());
    // The image of containers is made from another one, and its files have several owners.
    let images = images.iter().filter(|image| **image != Image::Container);
    tar.args(images.map(|image| image.name()));
    tar.args(templates);
    run(&mut tar).map(drop)
}

/// The complete templates with names that begin so, and the links to them, as seen from
/// `target/vm`.
pub(super) fn templates(prefix: &str) -> Result<Vec<String>> {
    let dir = vm_dir().join("templates");
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("no {}", dir.display()))? {
        let link = entry?.path();
        let Ok(template) = link.read_link() else {
            continue;
        };
        let names = [link.file_name().unwrap_or_default(), template.as_os_str()];
        let names = names.map(|name| name.to_string_lossy().into_owned());
        if names[0].starts_with(prefix) {
            found.extend(names.map(|name| format!("templates/{name}")));
        }
    }
    Ok(found)
}

/// Writes `file` from the members in `dir`.
pub(super) fn write(file: &Path, dir: &Path) -> Result<()> {
    let parent = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let new = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
    let mut archive = tar::Builder::new(new.as_file());
    for name in MEMBERS {
        archive.append_file(name, &mut File::open(dir.join(name))?)?;
    }
    archive.finish()?;
    drop(archive);
    fs::set_permissions(new.path(), Permissions::from_mode(0o644))?;
    new.persist(file)?;
    Ok(())
}
