use machine::{Error, ErrorKind, Machine};
use rustix::process::Signal;
use tokio::sync::oneshot;
use vm_tests::{fresh, minimal};

use super::signal;

#[track_caller]
fn assert_reports_the_signal(vm: &Machine, error: &Error, operation: &str) {
    let ErrorKind::Exited {
        status, console, ..
    } = error.kind()
    else {
        panic!("{error}")
    };
    assert!(status.to_string().contains("SIGKILL"), "{status}");
    assert!(!console.is_empty(), "{error}");
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("{}: ", vm.name())),
        "{message}"
    );
    assert!(message.contains(operation), "{message}");
}

#[tokio::test]
async fn a_kill_ends_a_command() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    // The command reports on the console that it runs.
    let command = vm.execute("echo command runs >/dev/ttyS0; sleep 1000");
    let killer = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        signal(&vm, Signal::KILL);
    };
    let (result, ()) = tokio::join!(command, killer);
    assert_reports_the_signal(&vm, &result.unwrap_err(), "sleep 1000");
    assert!(!vm.is_up());
}

#[tokio::test]
async fn a_kill_ends_waits() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let shutdown = vm.wait_for_shutdown();
    let repeat = vm.wait_until_succeeds("echo looking >/dev/ttyS0; false");
    let console = vm.wait_for_console_text("never printed");
    let killer = async {
        vm.wait_for_console_text("looking").await.unwrap();
        signal(&vm, Signal::KILL);
    };
    let (shutdown, repeat, console, ()) = tokio::join!(shutdown, repeat, console, killer);
    assert!(!shutdown.unwrap().unwrap().success());
    assert_reports_the_signal(&vm, &repeat.unwrap_err(), "looking");
    assert_reports_the_signal(&vm, &console.unwrap_err(), "never printed");
}

#[tokio::test]
async fn a_kill_ends_a_boot() {
    let vm = minimal();
    vm.start().await.unwrap();
    let (booting, boots) = oneshot::channel();
    let connect = async {
        booting.send(()).unwrap();
        vm.connect().await
    };
    let killer = async {
        boots.await.unwrap();
        vm.wait_for_console_text("Linux version").await.unwrap();
        signal(&vm, Signal::KILL);
    };
    let (result, ()) = tokio::join!(connect, killer);
    assert_reports_the_signal(&vm, &result.unwrap_err(), "booting");
}

#[tokio::test]
async fn monitor_commands_fail_after_a_kill() {
    let vm = minimal();
    vm.start().await.unwrap();
    vm.wait_for_console_text("Linux version").await.unwrap();
    signal(&vm, Signal::KILL);
    let error = vm.send_monitor_command("info status").await.unwrap_err();
    assert_reports_the_signal(&vm, &error, "info status");
    let error = vm
        .qmp("query-status", serde_json::Value::Null)
        .await
        .unwrap_err();
    assert_reports_the_signal(&vm, &error, "query-status");
}

#[tokio::test]
async fn a_machine_starts_again_after_a_crash() {
    let vm = fresh("minimal").await;
    let command = vm.execute("echo command runs >/dev/ttyS0; sleep 1000");
    let fault = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        signal(&vm, Signal::SEGV);
    };
    let (result, ()) = tokio::join!(command, fault);
    let error = result.unwrap_err();
    let ErrorKind::Exited { status, .. } = error.kind() else {
        panic!("{error}")
    };
    assert!(status.to_string().contains("SIGSEGV"), "{error}");
    vm.release();
    assert_eq!(vm.succeed("echo again").await.unwrap(), "again\n");
}
