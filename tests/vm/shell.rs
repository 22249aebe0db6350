use std::time::Duration;

use machine::{Command, ErrorKind, Exit};
use vm_tests::{KILL_SHELL, SOON, booted_and_cloned, fresh};

#[tokio::test]
async fn status_and_output() {
    for vm in booted_and_cloned("minimal").await {
        for (command, status, stdout) in [
            ("true", 0, ""),
            ("exit 3", 3, ""),
            ("echo out; echo err >&2; false", 1, "out\n"),
            ("cat", 0, ""),
        ] {
            let output = vm.execute(command).await.unwrap();
            assert_eq!(
                (output.status(), output.text().as_str()),
                (status, stdout),
                "{command}"
            );
        }
        assert_eq!(
            vm.succeed("echo one\necho 'two  three'").await.unwrap(),
            "one\ntwo  three\n"
        );
        assert_eq!(vm.fail("echo no; false").await.unwrap(), "no\n");
    }
}

#[tokio::test]
async fn a_failure_shows_the_output() {
    let vm = fresh("systemd").await;
    let error = vm.succeed("echo the reason; exit 7").await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::CommandFailed {
                exit: Exit::Status(7),
                ..
            }
        ),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains("echo the reason") && message.contains("\n    the reason"),
        "{message}"
    );
    let error = vm.fail("echo fine").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CommandSucceeded { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn standard_error_goes_to_the_console() {
    let vm = fresh("systemd").await;
    vm.succeed("dmesg -n 1; echo to the console >&2")
        .await
        .unwrap();
    vm.wait_for_console_text("to the console").await.unwrap();
}

/// A getty hangs up the terminal for every process that has it open.
#[tokio::test]
async fn standard_error_goes_to_the_console_of_a_getty() {
    let vm = fresh("systemd").await;
    vm.wait_for_unit("serial-getty@ttyS0.service")
        .await
        .unwrap();
    // It prompts again if the template was saved after the first prompt.
    vm.send_console("\n").await.unwrap();
    vm.wait_for_console_text("login: ").await.unwrap();
    vm.succeed("echo to the console >&2").await.unwrap();
    vm.wait_for_console_text("to the console").await.unwrap();
}

#[tokio::test]
async fn a_thousand_commands_in_a_row() {
    let vm = fresh("minimal").await;
    for number in 0..1000 {
        let output = vm
            .execute(format!("echo {number}; exit {}", number % 100))
            .await
            .unwrap();
        assert_eq!(
            (output.status(), output.text()),
            (number % 100, format!("{number}\n"))
        );
    }
}

#[tokio::test]
async fn every_byte_value() {
    let vm = fresh("systemd").await;
    let bytes: Vec<u8> = (0..=255).collect();
    // Octal escapes keep the command text.
    let escapes: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    assert_eq!(
        vm.execute(format!("printf '{escapes}'"))
            .await
            .unwrap()
            .stdout,
        bytes
    );
    for byte in 0..=255_u8 {
        let output = vm.execute(format!("printf '\\{byte:03o}'")).await.unwrap();
        assert_eq!(output.stdout, [byte], "byte {byte}");
    }
}

#[tokio::test]
async fn text_of_many_lengths_in_many_scripts() {
    let vm = fresh("systemd").await;
    for length in [1, 2, 3, 170, 171, 512, 5000] {
        for character in ["é", "→", "𝄞"] {
            let text = character.repeat(length);
            assert_eq!(
                vm.succeed(format!("printf %s '{text}'")).await.unwrap(),
                text
            );
        }
    }
}

#[tokio::test]
async fn time_out() {
    for vm in booted_and_cloned("minimal").await {
        for command in [
            "echo before; sleep 1000",
            "trap '' TERM; sleep 1000 & wait; sleep 1000",
            "sleep 1000 & echo stdout stays open",
            "yes",
        ] {
            let command = Command::new(command).timeout(Duration::from_millis(500));
            let exit = vm
                .execute_into(command, &mut tokio::io::sink())
                .await
                .unwrap();
            assert!(exit.is_timeout() && exit.status() == 124, "{exit:?}");
            assert_eq!(vm.succeed("echo in sync").await.unwrap(), "in sync\n");
        }
        assert_eq!(
            vm.succeed("ps | grep -c '[s]leep 1000' || true")
                .await
                .unwrap(),
            "0\n"
        );
    }
}

#[tokio::test]
async fn an_abandoned_command_is_killed() {
    let vm = fresh("systemd").await;
    let abandoned = vm.execute("dmesg -n 1; echo started >/dev/ttyS0; sleep 1000");
    tokio::select! {
        result = abandoned => panic!("{result:?}"),
        started = vm.wait_for_console_text("started") => drop(started.unwrap()),
    }
    vm.fail("pgrep -f 'sleep 100[0]'").await.unwrap();
}

#[tokio::test]
async fn a_background_process_keeps_running() {
    let vm = fresh("systemd").await;
    vm.succeed("(sleep 1; echo done >/tmp/done) >&2 &")
        .await
        .unwrap();
    vm.fail("test -e /tmp/done").await.unwrap();
    vm.wait_until_succeeds("test -e /tmp/done").await.unwrap();
}

#[tokio::test]
async fn waits_end_when_their_condition_holds() {
    let vm = fresh("systemd").await;
    vm.succeed("(sleep 1; touch /tmp/there) >&2 &")
        .await
        .unwrap();
    assert_eq!(
        vm.wait_until_succeeds("cat /tmp/there; echo yes")
            .await
            .unwrap(),
        "yes\n"
    );
    vm.succeed("(sleep 1; rm /tmp/there) >&2 &").await.unwrap();
    assert_eq!(
        vm.wait_until_fails("echo no; test -e /tmp/there")
            .await
            .unwrap(),
        "no\n"
    );
}

#[tokio::test]
async fn a_try_that_hangs_is_ended_and_repeated() {
    let vm = fresh("systemd").await;
    let hangs_once = |then: &str| {
        let script = format!(
            "if [ -e /run/second ]; then echo second; {then}; else touch /run/second; sleep 1000; fi"
        );
        Command::new(script).timeout(Duration::from_secs(10))
    };
    let output = vm.wait_until_succeeds(hangs_once("true")).await.unwrap();
    assert_eq!(output, "second\n");
    vm.succeed("rm /run/second").await.unwrap();
    let output = vm.wait_until_fails(hangs_once("false")).await.unwrap();
    assert_eq!(output, "second\n");
    vm.fail("pgrep -f 'sleep 100[0]'").await.unwrap();

    // It has no time left, and one more try.
    vm.succeed("rm /run/second").await.unwrap();
    let quick = hangs_once("true").timeout(Duration::from_millis(500));
    let output = vm.wait_until_succeeds(quick).await.unwrap();
    assert_eq!(output, "second\n");
}

#[tokio::test]
async fn a_try_runs_like_a_command() {
    let vm = fresh("systemd").await;
    let script = "false | true || printf '%s' \"$0 $# ${-//[^eu]} $SHELLOPTS \" | grep -o pipefail
        { read -r line || echo no input; }
        (sleep 0.1; printf 'a\\n\\n')
        compgen -A function probe || :";
    let run = vm.succeed(script).await.unwrap();
    assert_eq!(run, vm.wait_until_succeeds(script).await.unwrap());
    assert!(run.ends_with("no input\na\n\n"), "{run:?}");
    for fails in ["false; true", "false | true", "echo $unset_variable"] {
        vm.wait_until_fails(fails).await.unwrap();
    }
}

#[tokio::test]
async fn a_wait_gives_the_shell_to_commands() {
    let vm = fresh("systemd").await;
    let patient = vm.within(SOON);
    let wait = patient.wait_for_file("/run/there");
    let commands = async {
        for _ in 0..3 {
            vm.succeed("true").await.unwrap();
        }
        vm.succeed("touch /run/there").await.unwrap();
    };
    let other = patient.wait_for_file("/run/there");
    let (waited, other, ()) = tokio::join!(wait, other, commands);
    waited.unwrap();
    other.unwrap();
}

#[tokio::test]
async fn a_wait_that_times_out_shows_the_last_result() {
    let vm = fresh("systemd").await;
    let never = Command::new("echo still nothing; exit 5").timeout(Duration::from_secs(10));
    let error = vm.wait_until_succeeds(never).await.unwrap_err();
    let ErrorKind::TimedOut {
        probes, last_seen, ..
    } = error.kind()
    else {
        panic!("{error}")
    };
    assert!(*probes > 1, "{error}");
    // Or the deadline ended the last attempt.
    let results = ["exit code 5, output: still nothing", "exit code 124"];
    assert!(
        results.iter().any(|result| last_seen.starts_with(result)),
        "{error}"
    );
    // A command that exceeds the time limit twice counts as failed.
    let stuck = Command::new("sleep 1000").timeout(Duration::from_millis(300));
    vm.wait_until_succeeds(stuck.clone()).await.unwrap_err();
    vm.wait_until_fails(stuck).await.unwrap();
}

#[tokio::test]
async fn commands_of_one_machine_queue() {
    let vm = fresh("systemd").await;
    let (a, b) = tokio::join!(vm.succeed("sleep 0.5; echo a"), vm.succeed("echo b"));
    assert_eq!((a.unwrap().as_str(), b.unwrap().as_str()), ("a\n", "b\n"));
}

#[tokio::test]
async fn the_shell_is_respawned() {
    for vm in booted_and_cloned("minimal").await {
        let error = vm.execute(KILL_SHELL).await.unwrap_err();
        assert!(error.to_string().contains("restarted"), "{error}");
        assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    }
}

#[tokio::test]
async fn strict_mode() {
    let vm = fresh("systemd").await;
    for command in ["false; true", "false | true", "echo $unset_variable"] {
        vm.fail(command).await.unwrap();
    }
}

#[tokio::test]
async fn commands_work_with_busybox() {
    let vm = fresh("minimal").await;
    assert_eq!(
        vm.succeed("printf 'a\\tb\\n'; cat").await.unwrap(),
        "a\tb\n"
    );
    assert_eq!(
        vm.execute("head -c 100000 /dev/zero").await.unwrap().stdout,
        vec![0; 100_000]
    );
    let endless = Command::new("sleep infinity").timeout(Duration::from_millis(500));
    assert_eq!(vm.execute(endless).await.unwrap().exit, Exit::TimedOut);
    for number in 0..100 {
        assert_eq!(
            vm.succeed(format!("echo {number}")).await.unwrap(),
            format!("{number}\n")
        );
    }
}
