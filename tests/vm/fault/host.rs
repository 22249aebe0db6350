use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use machine::{ErrorKind, Machine, StartScript};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use vm_tests::{builder, driver, fresh_with, other_test, start_script, wait_until_gone};

/// On a small file system that only this test's other process sees: an ordinary user may
/// mount it there, too.
#[test]
fn its_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let test = victim("fills_its_disk", dir.path());
    let mut apart = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        apart.args(["--user", "--map-root-user"]);
    }
    apart.arg("--mount").arg(test.get_program());
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

#[tokio::test]
#[ignore = "run by its_disk_is_full"]
async fn fills_its_disk() {
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
    vm.succeed("seq 1 20000 >/dev/ttyS0; echo the last line >/dev/ttyS0")
        .await
        .unwrap();
    // The console goes on in memory, and errors tell that it is not on the disk.
    vm.wait_for_console_text("the last line").await.unwrap();
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
async fn a_start_script_that_leaves_qemu_in_the_background() {
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
async fn two_machines_in_one_state_directory() {
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

/// What a test leaves behind that ends by a panic, in a process of its own: nothing.
#[test]
fn a_test_that_panics() {
    let dir = tempfile::tempdir().unwrap();
    let victim = victim("panics", dir.path()).output().unwrap();
    assert!(!victim.status.success());
    let said = String::from_utf8_lossy(&victim.stderr);
    assert!(said.contains("the test's own panic"), "{said}");
    assert_nothing_left(dir.path());
}

#[test]
fn no_file_descriptors() {
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
#[ignore = "run by a_test_that_panics"]
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
#[ignore = "run by no_file_descriptors"]
async fn starves() {
    if std::env::var_os("VICTIM_DIR").is_none() {
        return;
    }
    let start = async || builder("minimal").build()?.start().await;
    let count = || fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    // The first has what is open as long as this process lives.
    start().await.unwrap();
    let all = getrlimit(Resource::Nofile);
    let open = count();
    // Wherever the last one is taken, it is told of, and all is given back.
    for more in 0..20 {
        let few = Rlimit {
            current: Some(open + more),
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
    assert_eq!(count(), open);
}

/// Neither QEMU, if it came so far, nor a directory for state or of a switch.
#[track_caller]
fn assert_nothing_left(dir: &Path) {
    if let Ok(qemu) = fs::read_to_string(dir.join("qemu")) {
        wait_until_gone(qemu.trim().parse().unwrap());
    }
    let left = fs::read_dir(dir).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ours = |name: &String| name.starts_with("vm-") || name.starts_with("vde");
    let left: Vec<String> = names.filter(ours).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Ends a driver when its log shows a phase, by a signal; nothing may be left of it.
fn driver_ended_when(log: &str, signal: Signal) {
    let script_text = match log {
        CLEANUP => "machine.start()",
        _ => ENDLESS,
    };
    let dir = tempfile::tempdir().unwrap();
    let start = dir.path().join("run-machine-vm");
    symlink(start_script("minimal"), &start).unwrap();
    let script = dir.path().join("script.py");
    fs::write(&script, script_text).unwrap();
    let mut driver = Command::new(driver())
        .args(["--global-timeout", "500", "--vlans", "1", "--start-scripts"])
        .arg(start)
        .arg("-o")
        .arg(dir.path())
        .arg("--")
        .arg(script)
        .env("TMPDIR", dir.path())
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(driver.stderr.take().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains(log) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{said}");
        said += &line;
    }
    kill_process(Pid::from_child(&driver), signal).unwrap();
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
    let status = driver.wait().unwrap();
    // Its script may have passed by then.
    assert!(!status.success() || log == CLEANUP, "{said}");
    wait_until_nobody_works_in(dir.path());
    assert_nothing_left(dir.path());
}

/// Whoever works there, or was given a path there: QEMU, its supervisor, a switch, a janitor.
fn wait_until_nobody_works_in(dir: &Path) {
    let dir = dir.to_str().unwrap();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let Some(pid) = process
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let works_there = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        if works_there || String::from_utf8_lossy(&command).contains(dir) {
            wait_until_gone(pid);
        }
    }
}

/// A script that has no end, but many phases.
const ENDLESS: &str = "\
machine.start()
machine.succeed('true')
machine.copy_from_host('/etc/hosts', '/tmp/hosts')
machine.copy_from_machine('/etc')
machine.wait_until_succeeds('false')
";

const CLEANUP: &str = "cleanup";

const PHASES: [&str; 8] = [
    "start all VLans",
    "starting vm",
    "QEMU running",
    "must succeed: true",
    "copying the host's /etc/hosts",
    "copying /etc from the guest",
    "success of `false`",
    CLEANUP,
];

#[test]
fn the_driver_is_interrupted_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::INT);
    }
}

#[test]
fn the_driver_is_terminated_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::TERM);
    }
}

#[test]
fn the_driver_is_killed_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::KILL);
    }
}
