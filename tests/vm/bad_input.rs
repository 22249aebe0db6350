use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use machine::{Error, ErrorKind, Machine, QemuCommand, StartScript, serial_log};
use vm_tests::{builder, fresh, minimal, show_steps, template};

/// The error of starting a machine with this start script.
async fn start_error(path: &Path) -> Error {
    show_steps();
    Machine::new(StartScript::new(path))
        .unwrap()
        .start()
        .await
        .unwrap_err()
}

fn script(dir: &Path, text: &str, mode: u32) -> PathBuf {
    let path = dir.join("run-bad-vm");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[tokio::test]
async fn start_script_missing() {
    let error = start_error(Path::new("/nowhere/run-missing-vm")).await;
    assert!(
        matches!(error.kind(), ErrorKind::StartScript { .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "missing: can't find the start script /nowhere/run-missing-vm: \
         No such file or directory (os error 2)\n  \
         this is a failure of the host, of QEMU or of the image, not of what is tested"
    );
}

#[tokio::test]
async fn start_script_not_executable() {
    let dir = tempfile::tempdir().unwrap();
    let error = start_error(&script(dir.path(), "#!/bin/sh\n", 0o644)).await;
    assert!(
        matches!(error.kind(), ErrorKind::NotExecutable { .. }),
        "{error}"
    );
    let error = start_error(dir.path()).await;
    assert!(
        matches!(error.kind(), ErrorKind::NotExecutable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn start_script_without_its_interpreter() {
    let dir = tempfile::tempdir().unwrap();
    let error = start_error(&script(dir.path(), "#!/no/such/interpreter\n", 0o755)).await;
    assert!(matches!(error.kind(), ErrorKind::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn start_script_exits_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = "#!/bin/sh\necho on the console\necho the reason >&2\nexit 42\n";
    let error = start_error(&script(dir.path(), text, 0o755)).await;
    let ErrorKind::Exited {
        status,
        stderr,
        console,
        ..
    } = error.kind()
    else {
        panic!("{error}")
    };
    assert_eq!(status.code(), Some(42));
    assert_eq!(
        (stderr.as_slice(), console.as_slice()),
        (
            &["the reason".to_owned()][..],
            &["on the console".to_owned()][..]
        )
    );
    assert!(error.to_string().contains("the reason"), "{error}");
}

#[tokio::test]
async fn qemu_refuses_its_arguments() {
    show_steps();
    let vm = Machine::new(QemuCommand::new("bad").args(["-no-such-option"])).unwrap();
    let error = vm.start().await.unwrap_err();
    let ErrorKind::Exited { stderr, .. } = error.kind() else {
        panic!("{error}")
    };
    assert!(
        stderr.iter().any(|line| line.contains("no-such-option")),
        "{error}"
    );
}

#[tokio::test]
async fn qemu_missing() {
    let vm = Machine::new(QemuCommand::new("bad").binary("/no/such/qemu")).unwrap();
    let error = vm.start().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Spawn { .. }), "{error}");
}

/// The path of a socket has at most 107 bytes.
#[tokio::test]
async fn a_deep_directory() {
    let tmp = tempfile::tempdir().unwrap();
    let deep = tmp.path().join("x".repeat(100));
    let vm = builder("minimal").tmp_dir(&deep).build().unwrap();
    assert_eq!(vm.succeed("echo deep").await.unwrap(), "deep\n");
    let template = template("minimal").cache_dir(deep.join("templates"));
    let template = template.build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let vm = template.clone_machine().await.unwrap();
    assert_eq!(vm.succeed("echo deep").await.unwrap(), "deep\n");
}

#[test]
fn state_directory_not_writable() {
    let tmp = tempfile::NamedTempFile::new().unwrap();
    // Even root can't make a directory in a file, or in /proc.
    for dir in [tmp.path(), Path::new("/proc")] {
        let error = builder("minimal").tmp_dir(dir).build().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::StateDir { .. }),
            "{error}"
        );
    }
}

#[test]
fn state_directory_in_use() {
    let tmp = tempfile::tempdir().unwrap();
    let _first = builder("minimal").tmp_dir(tmp.path()).build().unwrap();
    let error = builder("minimal").tmp_dir(tmp.path()).build().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::StateDirInUse { .. }),
        "{error}"
    );
}

#[test]
fn invalid_names() {
    for name in ["-rf", "<b>", "x y", "a,b", ".", "a/b", ""] {
        let error = builder("minimal").name(name).build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Name { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

#[tokio::test]
async fn command_with_a_nul() {
    let vm = fresh("systemd").await;
    let error = vm.succeed("echo a\0b").await.unwrap_err();
    assert!(error.to_string().contains("NUL"), "{error}");
    vm.succeed("true").await.unwrap();
}

#[tokio::test]
async fn invalid_regular_expression() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let error = vm.wait_for_console_text("(unclosed").await.unwrap_err();
    let invalid = matches!(
        error.kind(),
        ErrorKind::Console(serial_log::Error::InvalidPattern { .. })
    );
    assert!(invalid, "{error}");
}

#[tokio::test]
async fn operations_fail_before_the_start() {
    let vm = minimal();
    let monitor = vm.send_monitor_command("info status").await.unwrap_err();
    let console = vm.wait_for_console_text("x").await.unwrap_err();
    let typing = vm.send_console("x").await.unwrap_err();
    for error in [monitor, console, typing] {
        assert!(
            matches!(error.kind(), ErrorKind::NotRunning { .. }),
            "{error}"
        );
    }
    // These have nothing to do.
    assert_eq!(vm.wait_for_shutdown().await.unwrap(), None);
    vm.crash().await.unwrap();
}
