//! The faults that can end a machine or block its driver, listed in `docs/faults.md`.

/// Commands that do not end by themselves.
mod commands;
/// Closed connections to QEMU and to the guest.
mod connections;
/// Signals end the driver in each of its phases.
mod driver_ends;
/// Very large output of commands and consoles.
mod floods;
/// Trouble in the guest: no memory, a full disk, a killed shell.
mod guest;
/// Missing resources of the host, and tests that panic.
mod host;
/// Kernel panics during all kinds of waits.
mod panics;
/// QEMU dies during each kind of operation.
mod qemu_dies;
/// A stopped QEMU or guest.
mod qemu_hangs;
/// Reboots, allowed or not.
mod reboots;

use std::path::{Path, PathBuf};

use machine::Machine;
use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

/// Sends a signal to a machine's QEMU.
fn signal(vm: &Machine, signal: Signal) {
    let pid = Pid::from_raw(vm.pid().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Writes a start script in `dir`.
fn start_script_with(dir: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("run-faulty-vm");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Asserts that neither QEMU nor a directory of a machine or a switch is left. `dir/qemu`
/// contains the PID of QEMU, if it was started.
#[track_caller]
fn assert_nothing_left(dir: &Path) {
    if let Ok(qemu) = std::fs::read_to_string(dir.join("qemu")) {
        wait_until_gone(qemu.trim().parse().unwrap());
    }
    let left = std::fs::read_dir(dir).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_driver_dir = |name: &String| name.starts_with("vm-") || name.starts_with("vde");
    let left: Vec<String> = names.filter(is_driver_dir).collect();
    assert!(left.is_empty(), "{left:?}");
}
