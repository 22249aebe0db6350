use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use machine::{ErrorKind, Machine, StartScript};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vm_tests::{
    builder, descriptors, fresh_with, other_test, settled, soon, start_script, wait_until_gone,
};

use super::assert_nothing_left;
use crate::driver::Run;

/// On a small file system that only this test's other process sees: an ordinary user may
/// mount it there, too.
#[test]
fn the_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let probe = apart().arg("true").output().unwrap();
    assert!(
        probe.status.success(),
        "no file system of one's own on this host, which can't be tested so: {}",
        String::from_utf8_lossy(&probe.stderr)
    );
    let test = victim("fills_the_disk", dir.path());
    let mut apart = apart();
    apart.arg(test.get_program());
    apart.args(test.get_args()).env("VICTIM_DIR", dir.path());
    for (name, value) in test.get_envs() {
        match value {
            Some(value) => apart.env(name, value),
            None => apart.env_remove(name),
        };
    }
    let test = apart.env_remove("TMPDIR").output().unwrap();
    let said = [test.stdout, test.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(test.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

/// What has a program see mounts that nobody else does.
fn apart() -> Command {
    let mut apart = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        apart.args(["--user", "--map-root-user"]);
    }
    apart.arg("--mount");
    apart
}

#[tokio::test]
#[ignore = "run by the_disk_is_full"]
async fn fills_the_disk() {
    let Some(dir) = std::env::var_os("VICTIM_DIR").map(PathBuf::from) else {
        return;
    };
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32m", "small"])
        .arg(&dir)
        .status();
    assert!(mount.unwrap().success());
    let vm = fresh_with("minimal", |builder| builder.tmp_dir(&dir)).await;
    // All the room that is left.
    let mut file = fs::File::create(dir.join("filling")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    vm.succeed("dmesg -n 1; seq 1 20000 >/dev/ttyS0; echo the last line >/dev/ttyS0")
        .await
        .unwrap();
    // The console goes on in memory, and errors tell that it is not on the disk.
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
    // The guest's own disk has no room to grow: QEMU stops it.
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
    let story = error.to_string();
    assert!(story.contains("exit status: 0"), "{story}");
    assert!(story.contains("exec"), "{story}");
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

/// Whoever comes second is told where somebody is, and disturbs nobody.
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
    let story = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{story}");
    let state = run.out().join("vm-state-machine");
    assert!(story.contains(state.to_str().unwrap()), "{story}");

    first.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(first.wait().unwrap().success());
    assert!(state.join("console.log").exists());
}

/// What a test leaves behind that ends by a panic, in a process of its own: nothing.
#[test]
fn a_panicking_test_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let victim = victim("panics", dir.path()).output().unwrap();
    assert!(!victim.status.success());
    let said = String::from_utf8_lossy(&victim.stderr);
    assert!(said.contains("the test's own panic"), "{said}");
    assert_nothing_left(dir.path());
}

#[test]
fn running_out_of_file_descriptors_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let victim = victim("starves", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&victim.stderr);
    assert!(victim.status.success(), "{said}");
    assert_nothing_left(dir.path());
}

/// A test of this binary, in a process and a directory of its own.
fn victim(name: &str, dir: &Path) -> Command {
    let mut command = other_test(&format!("fault::host::{name}"));
    command.env("VICTIM_DIR", dir).env("TMPDIR", dir);
    command
}

#[tokio::test]
#[ignore = "run by a_panicking_test_leaves_nothing_behind"]
async fn panics() {
    let Some(dir) = std::env::var_os("VICTIM_DIR") else {
        return;
    };
    let vm = builder("minimal").build().unwrap();
    vm.start().await.unwrap();
    fs::write(
        PathBuf::from(dir).join("qemu"),
        vm.pid().unwrap().to_string(),
    )
    .unwrap();
    panic!("the test's own panic");
}

#[tokio::test]
#[ignore = "run by running_out_of_file_descriptors_is_an_error"]
async fn starves() {
    if std::env::var_os("VICTIM_DIR").is_none() {
        return;
    }
    let start = async || builder("minimal").build()?.start().await;
    // The first has what is open as long as this process lives.
    let first = builder("minimal").build().unwrap();
    first.start().await.unwrap();
    first.crash().await.unwrap();
    drop(first);
    let all = getrlimit(Resource::Nofile);
    let open = settled(descriptors).await;
    // Wherever the last one is taken, it is told of, and all is given back.
    for more in 0..20 {
        let few = Rlimit {
            current: Some(open as u64 + more),
            ..all
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let started = start().await;
        setrlimit(Resource::Nofile, all).unwrap();
        if let Err(error) = started {
            let story = error.to_string();
            assert!(story.contains("Too many open files"), "{more}: {story}");
        }
    }
    start().await.unwrap();
    assert!(soon(|| descriptors() <= open).await, "{open} were open");
}
