use std::time::Duration;

use machine::{Command, Exit};
use vm_tests::{fresh, scaled};

const LIMIT: Duration = Duration::from_secs(5);

/// Runs a command that times out, and checks that the next one gets its own output. Returns the
/// output of the command.
async fn times_out(command: &str) -> String {
    let vm = fresh("systemd").await;
    let output = vm.execute(Command::new(command).timeout(LIMIT)).await;
    let output = output.unwrap();
    assert!(output.exit.is_timeout(), "{command}: {output:?}");
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
    // No process of it is left.
    vm.fail("grep -l 'sleep.76543' /proc/[0-9]*/cmdline")
        .await
        .unwrap();
    output.text()
}

#[tokio::test]
async fn a_command_whose_child_keeps_its_output_open_times_out() {
    assert_eq!(times_out("echo begun; sleep 76543 &").await, "begun\n");
}

#[tokio::test]
async fn a_command_that_ignores_sigterm_is_killed() {
    // SIGKILL also reaches the process that forwards its output.
    times_out("trap '' TERM; sleep 76543; sleep 76543").await;
}

#[tokio::test]
async fn a_command_that_stops_itself_times_out() {
    for stop in [
        "kill -STOP 0",
        "kill -STOP $$",
        "kill -STOP $PPID; sleep 76543",
    ] {
        assert_eq!(times_out(&format!("echo begun; {stop}")).await, "begun\n");
    }
}

#[tokio::test]
async fn a_command_that_kills_its_own_processes_ends() {
    let vm = fresh("systemd").await;
    for kill in [
        "kill -9 0",
        "kill -9 $$",
        "kill -9 $PPID",
        "sh -c 'kill -9 $PPID'",
    ] {
        let output = vm.execute(format!("echo begun; {kill}")).await.unwrap();
        assert_eq!(output.exit, Exit::Status(137), "{kill}");
        assert_eq!(output.text(), "begun\n", "{kill}");
    }
}

#[tokio::test]
async fn an_error_names_the_process_that_holds_the_output() {
    let vm = fresh("systemd").await;
    let held = Command::new("sleep 76543 & echo begun").timeout(LIMIT);
    let error = vm.succeed(held).await.unwrap_err().to_string();
    for part in [
        "held in the background by sleep 76543 (process ",
        "redirect it, as in `server >/dev/null &`",
    ] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[tokio::test]
async fn an_unknown_command_is_named_as_by_bash() {
    let vm = fresh("systemd").await;
    let error = vm.succeed("nosuchcommand").await.unwrap_err().to_string();
    let expected = "\n    bash: line 1: nosuchcommand: command not found";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn a_wait_times_out_while_a_command_uses_the_shell() {
    let vm = fresh("systemd").await;
    let wait = async {
        vm.wait_for_console_text("begun").await.unwrap();
        let quick = vm.within(Duration::from_secs(1));
        quick.wait_until_succeeds("true").await
    };
    let error = tokio::select! {
        command = vm.succeed("echo begun >/dev/ttyS0; sleep 1000") => panic!("{command:?}"),
        waited = wait => waited.unwrap_err(),
    };
    assert!(error.is_timeout(), "{error}");
    let message = error.to_string();
    assert!(message.contains("the guest's shell is busy"), "{message}");
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
}

/// Time spent queueing for the shell does not count.
#[tokio::test]
async fn a_copy_queues_for_the_shell_without_timing_out() {
    let limit = Duration::from_secs(20);
    let vm = fresh("systemd").await;
    let longer = scaled(limit).as_secs() + 1;
    let limited = vm.within(limit);
    let (command, copy) = tokio::join!(
        vm.succeed(format!("sleep {longer}")),
        limited.copy_from_host("/etc/hosts", "/root/hosts"),
    );
    command.unwrap();
    copy.unwrap();
}
