//! The image `desktop`: the image `systemd` with an X server and a logged-in user.

use super::Recipe;
use super::debian::{BACKDOOR, Debian, root_files};
use super::systemd;

const SYSTEM: Debian = Debian {
    name: "desktop",
    memory: "1024M",
    // A pointer with absolute coordinates.
    devices: &["virtio-tablet-pci"],
    disk_size: "1800M",
    packages: &[
        systemd::PACKAGES,
        include_str!("../../images/desktop/packages"),
    ],
    setup: &[systemd::SETUP, include_str!("../../images/desktop/setup")],
    files: &[
        BACKDOOR,
        systemd::FILES,
        root_files![
            "desktop",
            "etc/X11/xorg.conf.d/vm.conf",
            "etc/hostname",
            "etc/hosts",
            "etc/systemd/system/user@1000.service.d/x.conf",
            "etc/systemd/system/xorg.service",
            "etc/systemd/user/openbox.service",
            "etc/systemd/user/x-session.target",
        ],
    ],
};

/// How to build the image.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || SYSTEM.inputs(),
    build: |dir, progress| SYSTEM.build(dir, progress),
};
