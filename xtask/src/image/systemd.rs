//! The image `systemd`: Debian 12 with systemd.

use super::Recipe;
use super::debian::Debian;

/// Pairs of a file's path in the guest and its text.
macro_rules! root_files {
    ($($path:literal),* $(,)?) => {
        &[
            ("usr/local/sbin/backdoor", include_str!("../../images/common/backdoor")),
            $(($path, include_str!(concat!("../../images/systemd/root/", $path)))),*
        ]
    };
}

const SYSTEM: Debian = Debian {
    name: "systemd",
    memory: "768M",
    // Some 600 MB of it are free.
    disk_size: "1200M",
    packages: include_str!("../../images/systemd/packages"),
    setup: include_str!("../../images/systemd/setup"),
    files: root_files![
        "etc/hostname",
        "etc/hosts",
        "etc/modprobe.d/vm.conf",
        "etc/resolv.conf",
        "etc/systemd/journald.conf.d/volatile.conf",
        "etc/systemd/network/80-dhcp.network",
        "etc/systemd/system/backdoor.service",
        "etc/systemd/system/getty@tty1.service.d/autologin.conf",
        "etc/systemd/system/tmp-shared.mount",
    ],
};

/// How to build it.
pub(super) const RECIPE: Recipe = Recipe {
    inputs: || SYSTEM.inputs(),
    build: |dir, progress| SYSTEM.build(dir, progress),
};
