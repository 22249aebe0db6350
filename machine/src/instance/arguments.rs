//! The arguments that a driver adds to a machine's start command.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crate::host::qemu_option::doubled_commas;
use crate::host::state_dir::Sockets;
use crate::instance::clone_agent::PORT as WAITER_PORT;
use crate::instance::saved_state::{Origin, Saved};

/// What connects a QEMU to its driver: monitors, root shell, serial console.
pub(crate) fn connections(sockets: &Sockets, allow_reboot: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![
        "-monitor".into(),
        unix("unix:", &sockets.monitor),
        "-qmp".into(),
        unix("unix:", &sockets.qmp),
        "-chardev".into(),
        unix("socket,id=shell,path=", &sockets.shell),
        "-device".into(),
        "virtio-serial".into(),
        // /dev/hvc0 in a Linux guest
        "-device".into(),
        "virtconsole,chardev=shell".into(),
        // The shell moves there from the console, which may lose output.
        "-chardev".into(),
        unix("socket,id=shell-port,path=", &sockets.shell_port),
        "-device".into(),
        format!(
            "virtserialport,chardev=shell-port,name={}",
            backdoor_shell::PORT
        )
        .into(),
        // What makes a clone another than its template waits here.
        "-chardev".into(),
        unix("socket,id=waiter,path=", &sockets.waiter),
        "-device".into(),
        format!("virtserialport,chardev=waiter,name={WAITER_PORT}").into(),
        "-device".into(),
        "virtio-rng-pci".into(),
        "-serial".into(),
        "stdio".into(),
        // Else QEMU has a clone's guest tell its networks, five times, where it is now.
        // (With `announce-rounds` 0, QEMU 7.2 ends when the guest resets its card.)
        "-global".into(),
        "virtio-net-device.guest_announce=off".into(),
    ];
    if !allow_reboot {
        args.push("-no-reboot".into());
    }
    args
}

/// What a QEMU needs that does not simply boot. Devices must be the same when a
/// machine is saved and when it goes on.
pub(crate) fn origin(origin: &Origin) -> Vec<OsString> {
    match origin {
        Origin::Boot => Vec::new(),
        Origin::Paused => vec!["-S".into()],
        Origin::Kept(ram) => memory(&ram.file, ram.size, "on"),
        // Mapped for this QEMU alone: what the guest writes is copied first.
        Origin::Saved(saved) | Origin::Own(saved) => going_on(saved, &saved.ram(), "off"),
        Origin::Extended(saved, ram) => going_on(saved, ram, "on"),
    }
}

fn going_on(saved: &Saved, ram: &Path, share: &str) -> Vec<OsString> {
    let size = saved.contents().map_or(0, |contents| contents.ram_size);
    let mut args = memory(ram, size, share);
    args.extend(["-incoming".into(), "defer".into()]);
    args
}

fn memory(file: &Path, size: u64, share: &str) -> Vec<OsString> {
    let mut object = OsString::from("memory-backend-file,id=vm-ram,mem-path=");
    object.push(doubled_commas(file.as_os_str()));
    object.push(format!(",size={size},share={share}"));
    vec![
        "-object".into(),
        object,
        "-machine".into(),
        "memory-backend=vm-ram".into(),
        // Tells the guest's kernel that it is another machine than it was.
        "-device".into(),
        "vmgenid,guid=auto".into(),
    ]
}

/// `-nographic`, unless there is a display for QEMU to open a window on.
pub(crate) fn display() -> Option<OsString> {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    (!has_display).then(|| "-nographic".into())
}

/// The words of `$QEMU_OPTS`, quotes respected; one word if they do not match up.
pub(crate) fn qemu_opts() -> Vec<OsString> {
    let Some(opts) = env::var_os("QEMU_OPTS") else {
        return Vec::new();
    };
    match shlex::bytes::split(opts.as_bytes()) {
        Some(words) => words.into_iter().map(OsString::from_vec).collect(),
        None => vec![opts],
    }
}

fn unix(prefix: &str, socket: &Path) -> OsString {
    let mut arg = OsString::from(prefix);
    arg.push(doubled_commas(socket.as_os_str()));
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
    fn what_every_machine_gets() {
        assert_eq!(
            line(true),
            "-monitor unix:/s,,1/monitor -qmp unix:/s,,1/qmp \
             -chardev socket,id=shell,path=/s,,1/shell \
             -device virtio-serial -device virtconsole,chardev=shell \
             -chardev socket,id=shell-port,path=/s,,1/shell-port \
             -device virtserialport,chardev=shell-port,name=org.vmwright.shell \
             -chardev socket,id=waiter,path=/s,,1/waiter \
             -device virtserialport,chardev=waiter,name=org.vmwright.waiter \
             -device virtio-rng-pci -serial stdio \
             -global virtio-net-device.guest_announce=off"
        );
    }

    #[test]
    fn a_reboot_ends_the_machine_unless_it_is_allowed() {
        assert!(line(false).ends_with(" -no-reboot"));
    }
}
