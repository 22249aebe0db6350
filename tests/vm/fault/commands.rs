use std::time::Duration;

use machine::{Command, Exit};
use vm_tests::fresh;

const LIMIT: Duration = Duration::from_secs(5);

/// Whatever became of a command, the next one's answer is its own. Gives what the
/// command had printed.
async fn times_out(command: &str) -> String {
    let vm = fresh("minimal").await;
    let output = vm.execute(Command::new(command).timeout(LIMIT)).await;
    let output = output.unwrap();
    assert_eq!(output.exit, Exit::TimedOut, "{command}");
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
    // And it is gone, with all that it has started.
    vm.fail("grep -l 'sleep.76543' /proc/[0-9]*/cmdline")
        .await
        .unwrap();
    output.text()
}

#[tokio::test]
async fn one_that_leaves_somebody_with_its_output() {
    assert_eq!(times_out("echo begun; sleep 76543 &").await, "begun\n");
}

#[tokio::test]
async fn one_that_ignores_sigterm() {
    // SIGKILL reaches what was to pass its output on, too.
    times_out("trap '' TERM; sleep 76543; sleep 76543").await;
}

#[tokio::test]
async fn one_that_stops_itself() {
    times_out("kill -STOP 0; sleep 76543").await;
}
