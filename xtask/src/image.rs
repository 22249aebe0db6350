//! Guest images: `target/vm/NAME/`, most of them with a start script `run-NAME-vm`.

mod cache;
mod cloud;
mod container;
mod debian;
mod desktop;
mod initramfs;
mod installer;
mod kernel;
mod linux;
mod minimal;
mod other_init;
mod start_script;
mod systemd;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use machine::OwnNamespace;

use crate::flags::{Image, ImageFlags};
use crate::host::{self, Package};
use crate::util::{Progress, vm_dir};

/// How an image is built.
struct Recipe {
    /// All inputs. The image is rebuilt if one of them changes.
    inputs: fn() -> Vec<&'static str>,
    /// Builds the image in an empty directory.
    build: fn(&Path, &Progress) -> Result<()>,
}

/// The inputs of every image: the code that builds it, and the start script.
const COMMON_INPUTS: [&str; 5] = [
    include_str!("image/debian.rs"),
    include_str!("image/initramfs.rs"),
    include_str!("image/kernel.rs"),
    include_str!("image/start_script.rs"),
    start_script::TEMPLATE,
];

impl Image {
    /// The name, as in `run-NAME-vm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Systemd => "systemd",
            Self::Desktop => "desktop",
            Self::Cloud => "cloud",
            Self::Linux => "linux",
            Self::Container => "container",
            Self::CloudBullseye => "cloud-bullseye",
            Self::CloudTrixie => "cloud-trixie",
            Self::CloudSid => "cloud-sid",
            Self::OtherInit => "other-init",
            Self::Installer => "installer",
        }
    }

    fn recipe(self) -> Recipe {
        match self {
            Self::Minimal => minimal::RECIPE,
            Self::Systemd => systemd::RECIPE,
            Self::Desktop => desktop::RECIPE,
            Self::Cloud => cloud::BOOKWORM,
            Self::Linux => linux::RECIPE,
            Self::Container => container::RECIPE,
            Self::CloudBullseye => cloud::BULLSEYE,
            Self::CloudTrixie => cloud::TRIXIE,
            Self::CloudSid => cloud::SID,
            Self::OtherInit => other_init::RECIPE,
            Self::Installer => installer::RECIPE,
        }
    }

    /// The host's packages that it is built with.
    fn packages(self) -> Vec<Package> {
        match self {
            Self::Minimal | Self::Linux | Self::Container => host::KERNEL.to_vec(),
            _ => [&host::RUN[..], &host::KERNEL, &host::BUILD].concat(),
        }
    }

    /// Those that tests need, but for tests of all guests.
    pub(crate) const USUAL: [Self; 6] = [
        Self::Minimal,
        Self::Systemd,
        Self::Desktop,
        Self::Cloud,
        Self::Linux,
        Self::Container,
    ];

    /// The directory of the built image. The files of a container's root belong to users of this
    /// user namespace.
    pub(crate) fn dir(self) -> PathBuf {
        let namespace = OwnNamespace::read();
        match namespace {
            Ok(namespace) if self == Self::Container => {
                vm_dir().join(namespace.name_of(self.name()))
            }
            _ => vm_dir().join(self.name()),
        }
    }
}

/// `cargo xtask image`.
pub(crate) fn run(flags: &ImageFlags) -> Result<()> {
    let images = flags.images();
    ensure(&images, flags.yes)?;
    for dir in images.into_iter().map(Image::dir) {
        // The image of containers is not made for every user.
        if dir.exists() {
            println!("{}", dir.display());
        }
    }
    Ok(())
}

/// Builds the images that are missing or out of date.
pub(crate) fn ensure(images: &[Image], yes: bool) -> Result<()> {
    for &image in images {
        if image == Image::Container {
            if !host::is_root_of_containers() {
                eprintln!(
                    "the image container was not made: that needs root, or a user namespace with \
                     enough ids, as in docs/containers.md#without-root"
                );
                continue;
            }
            ensure(&[Image::Systemd], yes)?;
        }
        let recipe = image.recipe();
        let inputs = [&COMMON_INPUTS, &(recipe.inputs)()[..]].concat();
        cache::ensure(&image.dir(), &inputs, |dir| {
            host::ensure(&image.packages(), yes)?;
            // Started after the prompt to install packages, which the spinner would overwrite.
            let progress = Progress::new(&format!("image {}", image.name()));
            (recipe.build)(dir, &progress)
        })
        .with_context(|| format!("can't build the image {}", image.name()))?;
    }
    Ok(())
}
