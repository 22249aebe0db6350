//! The arguments that are appended to a start command.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::boot_source::BootSource;
use super::clone_agent;
use super::saved_state::SavedState;
use crate::guest::copy_dir::MOUNT_TAG;
use crate::host::qemu_option::doubled_commas;
use crate::host::sockets::Sockets;

/// The generation id of templates, any fixed one.
const GENERATION: &str = "5d1c62a7-2d0e-4c53-9f5b-64a3a0f1f9b1";

/// The connections to QEMU and the guest: monitors, root shell, serial console.
pub(crate) fn connections(sockets: &Sockets, allow_reboot: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![
        "-monitor".into(),
        with_path("unix:", &sockets.monitor),
        "-qmp".into(),
        with_path("unix:", &sockets.qmp),
        "-chardev".into(),
        with_path("socket,id=shell,path=", &sockets.shell),
        "-device".into(),
        "virtio-serial".into(),
        // /dev/hvc0 in a Linux guest
        "-device".into(),
        "virtconsole,chardev=shell".into(),
        // The shell moves here from the console, which may lose output.
        "-chardev".into(),
        with_path("socket,id=shell-port,path=", &sockets.shell_port),
        "-device".into(),
        format!(
            "virtserialport,chardev=shell-port,name={}",
            backdoor_shell::PORT
        )
        .into(),
        // For the clone agent.
        "-chardev".into(),
        with_path("socket,id=clone-agent,path=", &sockets.clone_agent),
        "-device".into(),
        format!(
            "virtserialport,chardev=clone-agent,name={}",
            clone_agent::PORT
        )
        .into(),
        "-device".into(),
        "virtio-rng-pci".into(),
        // Reports a panic of the guest's kernel, which then reboots or halts, as it is
        // configured.
        "-device".into(),
        "pvpanic-pci".into(),
        "-action".into(),
        "panic=none".into(),
        "-serial".into(),
        "stdio".into(),
        // Otherwise a clone's network cards announce themselves five times, which wakes the
        // guest. (With `announce-rounds` 0, QEMU 7.2 crashes when the guest resets a card.)
        "-global".into(),
        "virtio-net-device.guest_announce=off".into(),
    ];
    if !allow_reboot {
        args.push("-no-reboot".into());
    }
    args
}

/// A card on each of these networks, with a hardware address that is derived from the machine's
/// name.
pub(crate) fn cards(machine: &str, networks: &BTreeMap<u32, OsString>) -> Vec<OsString> {
    let mut args = Vec::new();
    for (number, socket_dir) in networks {
        let sum = Sha256::digest(format!("{number} {machine}"));
        let mac: Vec<String> = sum[..4].iter().map(|it| format!("{it:02x}")).collect();
        let netdev = format!("vde,id=vlan{number},sock=");
        let device = format!(
            "virtio-net-pci,netdev=vlan{number},mac=52:54:{}",
            mac.join(":")
        );
        args.push("-netdev".into());
        args.push(with_path(&netdev, Path::new(socket_dir)));
        args.extend(["-device".into(), device.into()]);
    }
    args
}

/// The directory for copies, shared with the guest.
pub(crate) fn copies(dir: &Path) -> Vec<OsString> {
    vec![
        "-fsdev".into(),
        with_path("local,id=copies,security_model=none,path=", dir),
        "-device".into(),
        format!("virtio-9p-pci,fsdev=copies,mount_tag={MOUNT_TAG}").into(),
    ]
}

/// The arguments for a boot source. The devices must be the same when a machine is saved
/// and when it continues.
pub(crate) fn boot_source(source: &BootSource) -> Vec<OsString> {
    match source {
        BootSource::Boot => Vec::new(),
        BootSource::Paused => vec!["-S".into()],
        BootSource::BootInto(ram) => memory(&ram.path, ram.size, "on", GENERATION),
        // A private mapping: pages are copied when the guest writes to them.
        BootSource::Saved(saved) | BootSource::SavedSelf(saved) => {
            incoming(saved, &saved.ram(), "off")
        }
        BootSource::SavedInto(saved, ram) => incoming(saved, ram, "on"),
    }
}

fn incoming(saved: &SavedState, ram: &Path, share: &str) -> Vec<OsString> {
    let size = saved.vm().map_or(0, |vm| vm.ram_size);
    // A new generation makes the guest's kernel reseed its random number generator and log
    // that. An agent, which waits in guests with Perl, reseeds it with less code.
    let has_agent = saved.vm().is_some_and(|vm| vm.agent.is_some());
    let generation = if has_agent { GENERATION } else { "auto" };
    let mut args = memory(ram, size, share, generation);
    args.extend(["-incoming".into(), "defer".into()]);
    args
}

fn memory(file: &Path, size: u64, share: &str, generation: &str) -> Vec<OsString> {
    let mut object = OsString::from("memory-backend-file,id=vm-ram,mem-path=");
    object.push(doubled_commas(file.as_os_str()));
    object.push(format!(",size={size},share={share}"));
    vec![
        "-object".into(),
        object,
        "-machine".into(),
        "memory-backend=vm-ram".into(),
        // Notifies the guest's kernel of another generation.
        "-device".into(),
        format!("vmgenid,guid={generation}").into(),
    ]
}

/// `-nographic`, unless QEMU can open a window on a display.
pub(crate) fn display() -> Option<OsString> {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    (!has_display).then(|| "-nographic".into())
}

/// The words of `$QEMU_OPTS`, quotes respected; one word if quotes do not match.
pub(crate) fn qemu_opts() -> Vec<OsString> {
    let Some(opts) = env::var_os("QEMU_OPTS") else {
        return Vec::new();
    };
    match shlex::bytes::split(opts.as_bytes()) {
        Some(words) => words.into_iter().map(OsString::from_vec).collect(),
        None => vec![opts],
    }
}

fn with_path(prefix: &str, path: &Path) -> OsString {
    let mut arg = OsString::from(prefix);
    arg.push(doubled_commas(path.as_os_str()));
    arg
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn line(allow_reboot: bool) -> String {
        let sockets = Sockets::in_dir(Path::new("/s,1"));
        let args = connections(&sockets, allow_reboot);
        args.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn every_machine_gets_these() {
        assert_eq!(
            line(true),
            "-monitor unix:/s,,1/monitor -qmp unix:/s,,1/qmp \
             -chardev socket,id=shell,path=/s,,1/shell \
             -device virtio-serial -device virtconsole,chardev=shell \
             -chardev socket,id=shell-port,path=/s,,1/shell-port \
             -device virtserialport,chardev=shell-port,name=org.vmwright.shell \
             -chardev socket,id=clone-agent,path=/s,,1/clone-agent \
             -device virtserialport,chardev=clone-agent,name=org.vmwright.clone-agent \
             -device virtio-rng-pci -device pvpanic-pci -action panic=none -serial stdio \
             -global virtio-net-device.guest_announce=off"
        );
    }

    #[test]
    fn the_directory_for_copies_may_have_any_name() {
        assert_eq!(
            copies(Path::new("/s,1/copies")).join(OsStr::new(" ")),
            "-fsdev local,id=copies,security_model=none,path=/s,,1/copies \
             -device virtio-9p-pci,fsdev=copies,mount_tag=org.vmwright.copies"
        );
    }

    #[test]
    fn a_reboot_ends_the_machine_unless_it_is_allowed() {
        assert!(line(false).ends_with(" -no-reboot"));
    }
}
