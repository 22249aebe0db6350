//! The image `systemd`: Debian 12 with systemd.

use super::Recipe;
use super::debian::{BACKDOOR, Debian, Files, root_files};

/// Packages of every image with systemd.
pub(super) const PACKAGES: &str = include_str!("../../images/systemd/packages");

/// The setup of every image with systemd.
pub(super) const SETUP: &str = include_str!("../../images/systemd/setup");

/// Files of every image with systemd.
pub(super) const FILES: Files = root_files![
    "systemd",
    "etc/modprobe.d/vm.conf",
    "etc/resolv.conf",
    "etc/systemd/journald.conf.d/volatile.conf",
    "etc/systemd/network/80-dhcp.network",
    "etc/systemd/system/backdoor.service",
    "etc/systemd/system/getty@tty1.service.d/autologin.conf",
    "etc/systemd/system/tmp-shared.automount",
    "etc/systemd/system/tmp-shared.mount",
];

const SYSTEM: Debian = Debian {
    name: "systemd",
    memory: "768M",
    devices: &[],
    // About 600 MB are free.
    disk_size: "1200M",
    packages: &[PACKAGES],
    setup: &[SETUP],
    files: &[
        BACKDOOR,
        FILES,
        root_files![
            "systemd",
            "etc/hostname",
            "etc/hosts",
            "etc/modprobe.d/text-mode.conf",
        ],
    ],
};

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || SYSTEM.inputs(),
    build: |dir, progress| SYSTEM.build(dir, progress),
};
