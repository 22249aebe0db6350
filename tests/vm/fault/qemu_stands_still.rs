use std::time::Duration;

use machine::{Command, ErrorKind};
use rustix::process::Signal;
use vm_tests::fresh;

const LIMIT: Duration = Duration::from_secs(1);

/// A command whose guest does not run has no end to tell of.
#[tokio::test]
async fn a_stopped_cpu_times_out() {
    let vm = fresh("systemd").await;
    let script = "echo command runs >/dev/ttyS0; sleep 1000";
    // The guest's own time-out is not to come before it is stopped.
    let command = vm.execute(Command::new(script).timeout(10 * LIMIT));
    let stop = async {
        vm.wait_for_console_text("command runs").await.unwrap();
        vm.send_monitor_command("stop").await.unwrap();
    };
    let (result, ()) = tokio::join!(command, stop);
    let error = result.unwrap_err();
    let story = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{story}");
    assert!(story.contains("the guest stands still: paused"), "{story}");
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
    let vm_for_a_second = vm.within(LIMIT);
    for error in [
        vm_for_a_second
            .send_monitor_command("info status")
            .await
            .unwrap_err(),
        vm_for_a_second.screenshot("never").await.unwrap_err(),
        vm_for_a_second.execute("true").await.unwrap_err(),
        vm_for_a_second.wait_for_shutdown().await.unwrap_err(),
    ] {
        let story = error.to_string();
        assert!(story.contains("QEMU is stopped by a signal"), "{story}");
    }
    super::signal(&vm, Signal::CONT);
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
    super::signal(&vm, Signal::STOP);
    // The plug can be pulled all the same.
    vm.crash().await.unwrap();
    assert_eq!(vm.pid(), None);
}
