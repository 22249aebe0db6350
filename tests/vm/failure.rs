use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;

use rustix::process::{Pid, Signal, kill_process};
use vm_tests::{fresh, other_test, show_steps};

use crate::driver::Run;

#[tokio::test]
#[ignore = "run by the others, to fail"]
async fn fails() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last words >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("the last words").await.unwrap();
    vm.succeed("echo no luck; false").await.unwrap();
}

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
#[expect(clippy::print_stdout, reason = "the other test waits for it")]
async fn hangs() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last words").await.unwrap();
    println!("it hangs");
    vm.wait_for_console_text("what never comes").await.unwrap();
}

#[tokio::test]
#[ignore = "run by others, in a process of its own"]
async fn fails_without_qemu() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("systemd").await;
    vm.succeed("echo the last words >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("the last words").await.unwrap();
    vm.crash().await.unwrap();
    panic!("no luck");
}

/// What its machine says is too long for its page.
#[test]
#[ignore = "run by others, in a process of its own"]
fn a_script_fails() {
    if std::env::var_os("VICTIM").is_some() {
        let script = "machine.succeed('printf %0200000d 1'); raise Exception('no luck')";
        Run::new(&[("machine", "minimal")]).run(script).passed();
    }
}

/// Fails beside another test, both at a time.
fn fails_beside_another(says: &str) {
    static BOTH: Barrier = Barrier::new(2);
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    show_steps();
    BOTH.wait();
    tracing::info!("{says}");
    BOTH.wait();
    panic!("no luck");
}

#[test]
#[ignore = "run by others, to fail"]
fn one_of_two() {
    fails_beside_another("said by one");
}

#[test]
#[ignore = "run by others, to fail"]
fn two_of_two() {
    fails_beside_another("said by two");
}

/// A test that fails, in a process of its own.
fn victim(name: &str, failures: &Path) -> Command {
    let mut command = other_test(name);
    command
        .env("VICTIM", "1")
        .env("VM_FAILURES", failures)
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
    assert!(read("story.txt").contains("no luck"), "{stderr}");
    assert!(read("trace.html").contains("no luck"));
    assert!(read("systemd/console.log").contains("the last words"));
    assert!(read("systemd/qemu-command-line").contains("-accel tcg"));
    let screen = fs::read(dir.join("systemd/screen.png")).unwrap();
    assert!(screen.starts_with(b"\x89PNG"));
}

/// As `cargo test` runs them.
#[test]
fn tests_of_one_process_have_separate_traces() {
    let failures = tempfile::tempdir().unwrap();
    let mut victims = victim("failure::one_of_two", failures.path());
    victims.args(["failure::two_of_two", "--test-threads", "2"]);
    assert!(!victims.status().unwrap().success());
    for (own, other) in [("one", "two"), ("two", "one")] {
        let dir = failures.path().join(format!("failure.{own}_of_two"));
        let trace = fs::read_to_string(dir.join("trace.html")).unwrap();
        assert!(trace.contains(&format!("said by {own}")));
        assert!(!trace.contains(&format!("said by {other}")));
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
        assert!(read("trace.html").contains("no luck"));
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
            .contains("the last words")
    );
}

/// As nextest ends one that takes too long.
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
    assert!(read("story.txt").contains("SIGTERM"));
    assert!(read("trace.html").contains("what never comes"));
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
    let mut somebody = victim.stdin.take().unwrap();
    somebody
        .write_all(b"systemd info name\nother help\n")
        .unwrap();
    drop(somebody);
    let ended = victim.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    let (_, prompt) = said.split_once("its machines wait:").unwrap();
    assert!(prompt.contains("systemd: its state is in "), "{said}");
    assert!(prompt.contains("\nsystemd\n"), "{said}");
    assert!(prompt.contains("there is no machine \"other\""), "{said}");
}
