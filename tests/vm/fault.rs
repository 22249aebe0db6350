//! Every way in which a machine can die, or be made to wait in vain: the tests of
//! `docs/faults.md`.

/// Commands that do not end as they should.
mod commands;
/// The driver is ended, in each of its phases.
mod driver_ends;
/// More output than anybody wants.
mod floods;
/// The guest is in trouble, has no memory or no room.
mod guest;
/// The host lacks something, or the test itself ends.
mod host;
/// Lines to QEMU and to the guest that break.
mod connections;
/// The guest's kernel panics, whatever is waited for.
mod panics;
/// The end of QEMU under each operation.
mod qemu_dies;
/// QEMU that does not run.
mod qemu_hangs;

use std::path::{Path, PathBuf};

use machine::Machine;
use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

/// Sends a machine's QEMU a signal, as nobody ever should.
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

/// Neither QEMU, if it came so far, nor a directory for state or of a switch.
#[track_caller]
fn assert_nothing_left(dir: &Path) {
    if let Ok(qemu) = std::fs::read_to_string(dir.join("qemu")) {
        wait_until_gone(qemu.trim().parse().unwrap());
    }
    let left = std::fs::read_dir(dir).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ours = |name: &String| name.starts_with("vm-") || name.starts_with("vde");
    let left: Vec<String> = names.filter(ours).collect();
    assert!(left.is_empty(), "{left:?}");
}
