use std::path::Path;

use machine::{ErrorKind, Machine, StartScript};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use vm_tests::{fresh, start_script};

/// A machine that reaches one of our sockets through the test, which can cut it.
struct Cuttable {
    vm: Machine,
    line: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Cuttable {
    async fn start(socket: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ours = dir.path().join("socket");
        let script = super::start_script_with(dir.path(), &detour(socket, &ours));
        let vm = Machine::new(StartScript::new(script)).unwrap();
        let listener = UnixListener::bind(&ours).unwrap();
        let theirs = vm.state_dir().join(socket);
        let line = tokio::spawn(async move {
            let (mut from_qemu, _) = listener.accept().await.unwrap();
            let mut to_us = UnixStream::connect(theirs).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from_qemu, &mut to_us).await;
        });
        vm.start().await.unwrap();
        Self {
            vm,
            line,
            _dir: dir,
        }
    }
}

/// A start script that gives QEMU the socket `ours` for the one that is called so.
fn detour(socket: &str, ours: &Path) -> String {
    format!(
        "#!/usr/bin/env bash
         for arg; do args+=(\"${{arg/#unix:*\\/{socket}/unix:{}}}\"); done
         exec '{}' \"${{args[@]}}\"\n",
        ours.display(),
        start_script("minimal").display()
    )
}

#[tokio::test]
async fn a_closed_monitor_is_an_error() {
    let Cuttable { vm, line, _dir } = Cuttable::start("monitor").await;
    vm.connect().await.unwrap();
    line.abort();
    let error = vm.send_monitor_command("info status").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    assert!(error.to_string().contains("info status"), "{error}");
    // The rest of the machine goes on, and can be ended.
    assert_eq!(vm.succeed("echo goes on").await.unwrap(), "goes on\n");
    vm.crash().await.unwrap();
    assert_eq!(vm.pid(), None);
}

#[tokio::test]
async fn a_closed_qmp_connection_is_an_error() {
    let Cuttable { vm, line, _dir } = Cuttable::start("qmp").await;
    vm.connect().await.unwrap();
    let cut = async {
        vm.succeed("true").await.unwrap();
        line.abort();
    };
    let (event, ()) = tokio::join!(vm.wait_for_qmp_event(|_| false), cut);
    let error = event.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    let error = vm.screenshot("never").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    assert_eq!(vm.succeed("echo goes on").await.unwrap(), "goes on\n");
    vm.shutdown().await.unwrap();
}

/// QEMU lets go of its end of the line.
#[tokio::test]
async fn a_closed_shell_is_an_error() {
    let vm = fresh("systemd").await;
    let nothing = json!({ "type": "null", "data": {} });
    let cut = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        for id in ["shell", "shell-port"] {
            let arguments = json!({ "id": id, "backend": nothing });
            vm.qmp("chardev-change", arguments).await.unwrap();
        }
    };
    let command = vm.execute("echo command runs >/dev/ttyS0; sleep 1000");
    let (result, ()) = tokio::join!(command, cut);
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{error}");
    assert!(error.to_string().contains("closed the shell"), "{error}");
    let error = vm.succeed("true").await.unwrap_err();
    assert!(error.to_string().contains("closed the shell"), "{error}");
    vm.wait_for_console_text("").await.unwrap();
    let status = vm.send_monitor_command("info status").await.unwrap();
    assert!(status.contains("running"), "{status}");
    vm.crash().await.unwrap();
}
