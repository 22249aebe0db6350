use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use machine::{ErrorKind, Machine, StartScript};
use vm_tests::{builder, fresh, fresh_with, minimal, other_test, start_script, wait_until_gone};

#[tokio::test]
async fn boots_and_shuts_down() {
    let vm = minimal();
    assert!(!vm.is_up());
    vm.start().await.unwrap();
    vm.start().await.unwrap(); // does nothing
    vm.connect().await.unwrap();
    assert!(vm.is_up());
    let pid = vm.pid().unwrap();
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(exe.ends_with("qemu-system-x86_64"), "{}", exe.display());

    vm.shutdown().await.unwrap();
    assert!(!vm.is_up());
    assert_eq!(vm.pid(), None);
    vm.shutdown().await.unwrap(); // does nothing
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let log = vm.get_console_log().await.unwrap();
    assert!(log.contains("Power down"), "{log}");
}

#[tokio::test]
async fn starts_again_after_a_shutdown() {
    let vm = minimal();
    vm.succeed("echo lost >/tmp/file").await.unwrap();
    vm.shutdown().await.unwrap();
    vm.start().await.unwrap();
    vm.fail("test -e /tmp/file").await.unwrap();
}

#[tokio::test]
async fn power_off_from_inside() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    // The answer may arrive before the guest powers off.
    let _ = vm.execute("poweroff").await;
    let status = vm.wait_for_shutdown().await.unwrap();
    assert!(status.unwrap().success(), "{status:?}");
    assert!(!vm.is_up());
}

#[tokio::test]
async fn crash_is_sudden() {
    let vm = fresh("systemd").await;
    vm.succeed("echo not yet on disk >/root/file")
        .await
        .unwrap();
    vm.crash().await.unwrap();
    assert_eq!(vm.pid(), None);
    let log = vm.get_console_log().await.unwrap();
    assert!(!log.contains("Power down"), "{log}");
}

#[tokio::test]
async fn a_reboot_that_is_allowed() {
    let vm = minimal();
    vm.start_allowing_reboot().await.unwrap();
    vm.succeed("echo kept >/disk/file").await.unwrap();
    let boot_id = vm
        .succeed("cat /proc/sys/kernel/random/boot_id")
        .await
        .unwrap();
    let pid = vm.pid();

    vm.reboot().await.unwrap();
    assert!(!vm.is_up());
    assert_ne!(
        vm.succeed("cat /proc/sys/kernel/random/boot_id")
            .await
            .unwrap(),
        boot_id
    );
    assert_eq!(vm.succeed("cat /disk/file").await.unwrap(), "kept\n");
    assert_eq!(vm.pid(), pid, "the same QEMU");
}

#[tokio::test]
async fn a_reboot_that_is_not_allowed_ends_qemu() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    vm.reboot().await.unwrap();
    assert!(vm.wait_for_shutdown().await.unwrap().unwrap().success());
}

#[tokio::test]
async fn state_is_kept_on_request() {
    let tmp = tempfile::tempdir().unwrap();
    let machine = |keep| {
        builder("minimal")
            .tmp_dir(tmp.path())
            .keep_vm_state(keep)
            .build()
            .unwrap()
    };

    let first = machine(true);
    first.succeed("echo kept >/disk/file").await.unwrap();
    first.shutdown().await.unwrap();
    drop(first);

    let second = machine(true);
    assert_eq!(second.succeed("cat /disk/file").await.unwrap(), "kept\n");
    drop(second);
    assert!(tmp.path().join("vm-state-minimal/minimal.qcow2").exists());

    let third = machine(false);
    third.fail("test -e /disk/file").await.unwrap();
    let state = third.state_dir().to_owned();
    drop(third);
    assert!(!state.exists());
}

#[tokio::test]
async fn two_machines_at_once() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path();
    let machine = |name| fresh_with("systemd", move |builder| builder.name(name).tmp_dir(dir));
    let (one, two) = tokio::join!(machine("one"), machine("two"));
    let (a, b) = tokio::join!(
        one.succeed("echo 1 >/tmp/n; cat /tmp/n"),
        two.succeed("echo 2 >/tmp/n; cat /tmp/n")
    );
    assert_eq!((a.unwrap().as_str(), b.unwrap().as_str()), ("1\n", "2\n"));
    assert_ne!(one.pid(), two.pid());

    // Both share one directory with the host.
    assert_eq!(one.shared_dir(), two.shared_dir());
    one.succeed("echo hello >/tmp/shared/from-one")
        .await
        .unwrap();
    let read = two.succeed("cat /tmp/shared/from-one").await;
    assert_eq!(read.unwrap(), "hello\n");

    one.crash().await.unwrap();
    assert!(two.is_up());
    two.succeed("true").await.unwrap();
}

#[tokio::test]
async fn release_ends_the_machine() {
    let vm = fresh("systemd").await;
    let pid = vm.pid().unwrap();
    vm.release();
    wait_until_gone(pid);
    let error = vm.send_monitor_command("info status").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotRunning { .. }),
        "{error}"
    );
    vm.release(); // does nothing
}

/// A start script that leaves a daemon behind, in a session of its own and without its parent.
/// The file `daemon` has its process id.
fn script_with_a_daemon(dir: &Path) -> StartScript {
    let path = dir.join("run-parent-vm");
    let daemon = dir.join("daemon");
    let script = format!(
        "#!/bin/sh\n(setsid sh -c 'echo $$ >\"{0}.new\"; mv \"{0}.new\" \"{0}\"; exec sleep 1000' &)\n\
         until [ -e \"{0}\" ]; do :; done\nexec \"{1}\" \"$@\"\n",
        daemon.display(),
        start_script("minimal").display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    StartScript::new(path)
}

fn daemon_pid(dir: &Path) -> u32 {
    fs::read_to_string(dir.join("daemon"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn dropping_a_machine_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let vm = Machine::new(script_with_a_daemon(dir.path())).unwrap();
    vm.start().await.unwrap();
    let (qemu, daemon) = (vm.pid().unwrap(), daemon_pid(dir.path()));
    assert!(Path::new(&format!("/proc/{daemon}")).exists());
    let state = vm.state_dir().to_owned();

    drop(vm);
    for pid in [qemu, daemon] {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "process {pid} still runs"
        );
    }
    assert!(!state.exists());
}

/// The process that the next test kills.
#[tokio::test]
#[ignore = "run by killing_the_test_leaves_nothing_running"]
#[expect(clippy::print_stdout, reason = "the other test waits for it")]
async fn victim() {
    let dir = std::env::var_os("VICTIM_DIR").expect("run by another test");
    let dir = Path::new(&dir);
    let vm = Machine::builder(script_with_a_daemon(dir))
        .tmp_dir(dir)
        .build()
        .unwrap();
    vm.start().await.unwrap();
    fs::write(dir.join("qemu"), vm.pid().unwrap().to_string()).unwrap();
    println!("started");
    std::future::pending::<()>().await;
}

#[test]
fn killing_the_test_leaves_nothing_running() {
    use std::io::{BufRead as _, BufReader};

    let dir = tempfile::tempdir().unwrap();
    let mut victim = other_test("lifecycle::victim")
        .env("VICTIM_DIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    assert!(
        output
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("started"))
    );
    let qemu: u32 = fs::read_to_string(dir.path().join("qemu"))
        .unwrap()
        .parse()
        .unwrap();
    let daemon = daemon_pid(dir.path());

    victim.kill().unwrap(); // SIGKILL
    victim.wait().unwrap();
    wait_until_gone(qemu);
    wait_until_gone(daemon);
}
