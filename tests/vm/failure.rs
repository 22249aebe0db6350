use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;

use machine::{Machine, StartScript};
use rustix::process::{Pid, Signal, kill_process};
use vm_tests::{fresh, other_test, show_steps, start_script};

use crate::driver::Run;

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
async fn fails() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last line >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("the last line").await.unwrap();
    vm.succeed("echo the reason; false").await.unwrap();
}

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
async fn fails_to_start() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    start_script("minimal");
    show_steps();
    let vm = Machine::builder(StartScript::new("/no/such/script")).build();
    vm.unwrap().start().await.unwrap();
}

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
#[expect(clippy::print_stdout, reason = "the other test waits for it")]
async fn hangs() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last line").await.unwrap();
    println!("it hangs");
    vm.wait_for_console_text("never printed").await.unwrap();
}

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
async fn fails_without_qemu() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last line >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("the last line").await.unwrap();
    vm.crash().await.unwrap();
    panic!("the reason");
}

/// The output is too long for the trace page.
#[test]
#[ignore = "run by others, in a process of its own"]
fn a_script_fails() {
    if std::env::var_os("VICTIM").is_some() {
        let script = "machine.succeed('printf %0200000d 1'); raise Exception('the reason')";
        Run::new(&[("machine", "minimal")]).run(script).passed();
    }
}

/// Logs a line and fails while another test does the same.
fn fails_beside_another(line: &str) {
    static BOTH: Barrier = Barrier::new(2);
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    show_steps();
    BOTH.wait();
    tracing::info!("{line}");
    BOTH.wait();
    panic!("the reason");
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn one_of_two() {
    fails_beside_another("logged by one");
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn two_of_two() {
    fails_beside_another("logged by two");
}

/// A command that runs a failing test in a separate process.
fn victim(name: &str, failures: &Path) -> Command {
    let mut command = other_test(name);
    command
        .env("VICTIM", "1")
        .env("VM_FAILURES", failures)
        .env("NEXTEST_ATTEMPT", "1")
        .stdin(Stdio::null());
    command
}

#[test]
fn a_failed_test_leaves_its_files() {
    let failures = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = victim("failure::fails", failures.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{stderr}");
    let dir = failures.path().join("failure.fails");
    assert!(stderr.contains(dir.to_str().unwrap()), "{stderr}");

    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("test"), "failure::fails");
    assert!(read("message.txt").contains("the reason"), "{stderr}");
    assert!(read("trace.html").contains("the reason"));
    assert!(read("systemd/console.log").contains("the last line"));
    assert!(read("systemd/qemu-command-line").contains("-accel tcg"));
    let screen = fs::read(dir.join("systemd/screen.png")).unwrap();
    assert!(screen.starts_with(b"\x89PNG"));
    assert!(!dir.join("infrastructure").exists());
}

#[test]
fn a_failure_of_the_host_is_marked() {
    let failures = tempfile::tempdir().unwrap();
    let status = victim("failure::fails_to_start", failures.path()).status();
    assert!(!status.unwrap().success());
    let dir = failures.path().join("failure.fails_to_start");
    assert!(dir.join("infrastructure").exists());
}

#[test]
fn a_repeated_test_does_not_replace_what_the_first_attempt_has_left() {
    let failures = tempfile::tempdir().unwrap();
    for attempt in ["1", "2"] {
        let mut victim = victim("failure::fails_to_start", failures.path());
        let status = victim.env("NEXTEST_ATTEMPT", attempt).status();
        assert!(!status.unwrap().success());
        let dir = failures.path().join("failure.fails_to_start");
        assert!(dir.join("message.txt").exists());
        assert_eq!(dir.join("attempt-2/message.txt").exists(), attempt == "2");
    }
}

/// `cargo test` runs tests in threads of one process.
#[test]
fn tests_of_one_process_have_separate_traces() {
    let failures = tempfile::tempdir().unwrap();
    let mut victims = victim("failure::one_of_two", failures.path());
    victims.args(["failure::two_of_two", "--test-threads", "2"]);
    assert!(!victims.status().unwrap().success());
    for (own, other) in [("one", "two"), ("two", "one")] {
        let dir = failures.path().join(format!("failure.{own}_of_two"));
        let trace = fs::read_to_string(dir.join("trace.html")).unwrap();
        assert!(trace.contains(&format!("logged by {own}")));
        assert!(!trace.contains(&format!("logged by {other}")));
    }
}

#[test]
fn a_failed_script_leaves_its_trace() {
    let failures = tempfile::tempdir().unwrap();
    let status = victim("failure::a_script_fails", failures.path()).status();
    assert!(!status.unwrap().success());
    let of_test = failures.path().join("failure.a_script_fails");
    for dir in [of_test.join("files"), of_test] {
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        assert!(read("trace.html").contains("the reason"));
        assert_eq!(read("trace-files/output-1.txt").len(), 200_000);
    }
}

#[test]
fn the_console_log_of_a_stopped_machine_is_kept() {
    let failures = tempfile::tempdir().unwrap();
    let status = victim("failure::fails_without_qemu", failures.path())
        .env("NEXTEST", "1")
        .status();
    assert!(!status.unwrap().success());
    let console = failures
        .path()
        .join("failure.fails_without_qemu/systemd/console.log");
    assert!(
        fs::read_to_string(console)
            .unwrap()
            .contains("the last line")
    );
}

/// nextest terminates tests that time out by SIGTERM.
#[test]
fn a_terminated_test_leaves_its_files() {
    let failures = tempfile::tempdir().unwrap();
    let mut victim = victim("failure::hangs", failures.path())
        .env("NEXTEST", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("it hangs")));
    kill_process(Pid::from_child(&victim), Signal::TERM).unwrap();
    assert_eq!(victim.wait().unwrap().code(), Some(143));
    let dir = failures.path().join("failure.hangs");
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    assert!(read("message.txt").contains("SIGTERM"));
    assert!(read("trace.html").contains("never printed"));
    assert!(dir.join("systemd/screen.png").exists());
}

#[test]
fn a_failed_test_can_pause_at_a_prompt() {
    let failures = tempfile::tempdir().unwrap();
    let mut victim = victim("failure::fails", failures.path())
        .env("VM_PAUSE_ON_FAILURE", "1")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = victim.stdin.take().unwrap();
    stdin.write_all(b"systemd info name\nother help\n").unwrap();
    drop(stdin);
    let ended = victim.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    let (_, prompt) = stderr.split_once("Its machines are still there:").unwrap();
    assert!(prompt.contains("systemd: state directory "), "{stderr}");
    assert!(prompt.contains("\nsystemd\n"), "{stderr}");
    assert!(prompt.contains("there is no machine \"other\""), "{stderr}");
}
