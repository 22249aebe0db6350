use std::path::Path;

use machine::{ErrorKind, Machine, StartScript};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use vm_tests::{fresh, start_script};

/// A machine whose connection to one socket passes through a task of the test. Aborting the
/// task closes the connection.
struct Proxied {
    vm: Machine,
    proxy: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Proxied {
    async fn start(socket: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let proxied = dir.path().join("socket");
        let script = super::start_script_with(dir.path(), &redirect(socket, &proxied));
        let vm = Machine::new(StartScript::new(script)).unwrap();
        let listener = UnixListener::bind(&proxied).unwrap();
        let original = vm.state_dir().join(socket);
        let proxy = tokio::spawn(async move {
            let (mut from_qemu, _) = listener.accept().await.unwrap();
            let mut to_machine = UnixStream::connect(original).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from_qemu, &mut to_machine).await;
        });
        vm.start().await.unwrap();
        Self {
            vm,
            proxy,
            _dir: dir,
        }
    }
}

/// A start script that replaces the path of a socket in QEMU's arguments.
fn redirect(socket: &str, path: &Path) -> String {
    format!(
        "#!/usr/bin/env bash
         for arg; do args+=(\"${{arg/#unix:*\\/{socket}/unix:{}}}\"); done
         exec '{}' \"${{args[@]}}\"\n",
        path.display(),
        start_script("minimal").display()
    )
}

#[tokio::test]
async fn a_closed_monitor_is_an_error() {
    let Proxied { vm, proxy, _dir } = Proxied::start("monitor").await;
    vm.connect().await.unwrap();
    proxy.abort();
    let error = vm.send_monitor_command("info status").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    assert!(error.to_string().contains("info status"), "{error}");
    // Other operations still work.
    assert_eq!(vm.succeed("echo goes on").await.unwrap(), "goes on\n");
    vm.crash().await.unwrap();
    assert_eq!(vm.pid(), None);
}

#[tokio::test]
async fn a_closed_qmp_connection_is_an_error() {
    let Proxied { vm, proxy, _dir } = Proxied::start("qmp").await;
    vm.connect().await.unwrap();
    let cut = async {
        vm.succeed("true").await.unwrap();
        proxy.abort();
    };
    let (event, ()) = tokio::join!(vm.wait_for_qmp_event(|_| false), cut);
    let error = event.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    let error = vm.screenshot("never").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Monitor { .. }), "{error}");
    assert_eq!(vm.succeed("echo goes on").await.unwrap(), "goes on\n");
    vm.shutdown().await.unwrap();
}

/// QEMU closes its end of the connection.
#[tokio::test]
async fn a_closed_shell_is_an_error() {
    let vm = fresh("systemd").await;
    let null_backend = json!({ "type": "null", "data": {} });
    let cut = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        for id in ["shell", "shell-port"] {
            let arguments = json!({ "id": id, "backend": null_backend });
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
