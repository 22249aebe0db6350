use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use machine::{ErrorKind, Machine, StartScript};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vm_tests::{
    builder, descriptors, fresh_with, other_test, settled, soon, start_script, victim_dir,
    wait_until_gone,
};

use super::assert_nothing_left;
use crate::driver::Run;

/// The victim mounts a small file system in a mount namespace of its own, which unprivileged
/// users may do as well.
#[ignore = "needs mount namespaces"]
#[test]
fn a_full_host_disk_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let test = victim("fills_the_disk", dir.path());
    let mut unshare = unshare();
    unshare.arg(test.get_program());
    unshare.args(test.get_args()).env("VICTIM_DIR", dir.path());
    for (name, value) in test.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    let test = unshare.env_remove("TMPDIR").output().unwrap();
    let output = [test.stdout, test.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(test.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

/// A command that runs a program in a mount namespace of its own.
fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.arg("--mount");
    unshare
}

#[tokio::test]
#[ignore = "run by a_full_host_disk_is_an_error"]
async fn fills_the_disk() {
    let Some(dir) = victim_dir() else {
        return;
    };
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32m", "small"])
        .arg(&dir)
        .status();
    assert!(mount.unwrap().success());
    let vm = fresh_with("minimal", |builder| builder.tmp_dir(&dir)).await;
    // Uses up all remaining space.
    let mut file = fs::File::create(dir.join("filling")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    vm.succeed("dmesg -n 1; seq 1 20000 >/dev/ttyS0; echo the last line >/dev/ttyS0")
        .await
        .unwrap();
    // The log continues in memory; errors say that the file is incomplete.
    vm.wait_for_console_text("the last line\n").await.unwrap();
    let log = vm.get_console_log().await.unwrap();
    assert!(log.contains("\n20000\nthe last line\n"));
    let error = vm.succeed("false").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("console.log is incomplete: No space left"),
        "{error}"
    );
    let error = vm.screenshot("never").await.unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    // The guest's disk image can't grow: QEMU stops the guest.
    let error = vm
        .succeed("head -c 20000000 /dev/urandom >/disk/file; sync")
        .await
        .unwrap_err();
    let ErrorKind::GuestEnded { trouble, .. } = error.kind() else {
        panic!("{error}")
    };
    assert!(trouble.line.contains("No space left on device"), "{error}");
    vm.crash().await.unwrap();
}

#[tokio::test]
async fn a_start_script_must_not_put_qemu_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\" & echo $! >'{}'\n",
        start_script("minimal").display(),
        dir.path().join("qemu").display(),
    );
    let script = super::start_script_with(dir.path(), &script);
    let vm = Machine::new(StartScript::new(script)).unwrap();
    let error = vm.start().await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("exit status: 0"), "{message}");
    assert!(message.contains("exec"), "{message}");
    let qemu = fs::read_to_string(dir.path().join("qemu")).unwrap();
    wait_until_gone(qemu.trim().parse().unwrap());
}

#[tokio::test]
async fn a_state_directory_in_use_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let one = builder("minimal").tmp_dir(dir.path()).build().unwrap();
    one.start().await.unwrap();
    let error = builder("minimal").tmp_dir(dir.path()).build().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::StateDirInUse { .. }),
        "{error}"
    );
    drop(one);
    builder("minimal").tmp_dir(dir.path()).build().unwrap();
}

/// The second driver names the directory, and the first one is not affected.
#[test]
fn a_second_driver_in_a_state_directory_fails() {
    let run = Run::booting(&[("machine", "minimal")]);
    let driver = |script: &str| {
        let mut driver = run.command();
        driver.arg("--keep-vm-state").arg(run.script(script));
        driver
    };
    let script = "machine.start(); print('started', flush=True); input()\n\
                  machine.succeed('true'); machine.shutdown()\n";
    let mut first = driver(script);
    first.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let mut started = [0; b"started\n".len()];
    let stdout = first.stdout.as_mut().unwrap();
    stdout.read_exact(&mut started).unwrap();

    let second = driver("machine.start()").output().unwrap();
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{stderr}");
    let state = run.out().join("vm-state-machine");
    assert!(stderr.contains(state.to_str().unwrap()), "{stderr}");

    first.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(first.wait().unwrap().success());
    assert!(state.join("console.log").exists());
}

#[test]
fn a_panicking_test_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let victim = victim("panics", dir.path()).output().unwrap();
    assert!(!victim.status.success());
    let stderr = String::from_utf8_lossy(&victim.stderr);
    assert!(stderr.contains("the test's own panic"), "{stderr}");
    assert_nothing_left(dir.path());
}

#[test]
fn running_out_of_file_descriptors_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let victim = victim("runs_out_of_file_descriptors", dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&victim.stderr);
    assert!(victim.status.success(), "{stderr}");
    assert_nothing_left(dir.path());
}

/// A command that runs a test of this binary with a temporary directory of its own.
fn victim(name: &str, dir: &Path) -> Command {
    let mut command = other_test(&format!("fault::host::{name}"));
    command.env("VICTIM_DIR", dir).env("TMPDIR", dir);
    command
}

#[tokio::test]
#[ignore = "run by a_panicking_test_leaves_nothing_behind"]
async fn panics() {
    let Some(dir) = victim_dir() else {
        return;
    };
    let vm = builder("minimal").build().unwrap();
    vm.start().await.unwrap();
    fs::write(dir.join("qemu"), vm.pid().unwrap().to_string()).unwrap();
    panic!("the test's own panic");
}

#[tokio::test]
#[ignore = "run by running_out_of_file_descriptors_is_an_error"]
async fn runs_out_of_file_descriptors() {
    if victim_dir().is_none() {
        return;
    }
    let start = async || builder("minimal").build()?.start().await;
    // The first machine opens what stays open until this process ends.
    let first = builder("minimal").build().unwrap();
    first.start().await.unwrap();
    first.crash().await.unwrap();
    drop(first);
    let all = getrlimit(Resource::Nofile);
    let open = settled(descriptors).await;
    // Whichever step of the start runs out of descriptors, it is reported, and all are closed.
    for more in 0..20 {
        let few = Rlimit {
            current: Some(open as u64 + more),
            ..all
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let started = start().await;
        setrlimit(Resource::Nofile, all).unwrap();
        if let Err(error) = started {
            let message = error.to_string();
            assert!(message.contains("Too many open files"), "{more}: {message}");
        }
    }
    start().await.unwrap();
    assert!(soon(|| descriptors() <= open).await, "{open} were open");
}
