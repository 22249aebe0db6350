use std::time::Duration;

use machine::{Command, ErrorKind};
use rustix::process::Signal;
use vm_tests::fresh;

const LIMIT: Duration = Duration::from_secs(1);

/// The guest can't report the command's exit status.
#[tokio::test]
async fn a_stopped_cpu_times_out() {
    let vm = fresh("systemd").await;
    let script = "echo command runs >/dev/ttyS0; sleep 1000";
    // The guest must not kill the command before it is stopped.
    let command = vm.execute(Command::new(script).timeout(10 * LIMIT));
    let stop = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        vm.send_monitor_command("stop").await.unwrap();
    };
    let (result, ()) = tokio::join!(command, stop);
    let error = result.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{message}");
    assert!(
        message.contains("QEMU reports guest state `paused`"),
        "{message}"
    );
    let error = vm.within(LIMIT).wait_for_file("/x").await.unwrap_err();
    assert!(error.to_string().contains("paused"), "{error}");
    let error = vm.within(LIMIT).sleep(LIMIT).await.unwrap_err();
    assert!(error.to_string().contains("paused"), "{error}");

    vm.send_monitor_command("cont").await.unwrap();
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
}

#[tokio::test]
async fn a_stopped_qemu_times_out() {
    let vm = fresh("systemd").await;
    super::signal(&vm, Signal::STOP);
    let limited = vm.within(LIMIT);
    for error in [
        limited
            .send_monitor_command("info status")
            .await
            .unwrap_err(),
        limited.screenshot("never").await.unwrap_err(),
        limited.execute("true").await.unwrap_err(),
        limited.wait_for_shutdown().await.unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(message.contains("QEMU is stopped by a signal"), "{message}");
    }
    super::signal(&vm, Signal::CONT);
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
    super::signal(&vm, Signal::STOP);
    // `crash` works nevertheless.
    vm.crash().await.unwrap();
    assert_eq!(vm.pid(), None);
}
