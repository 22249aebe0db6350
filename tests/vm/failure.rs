use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use vm_tests::{fresh, other_test};

#[tokio::test]
#[ignore = "run by the others, to fail"]
async fn fails() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let vm = fresh("minimal").await;
    vm.succeed("echo the last words >/dev/ttyS0").await.unwrap();
    vm.wait_for_console_text("the last words").await.unwrap();
    vm.succeed("echo no luck; false").await.unwrap();
}

/// The test that fails, in a process of its own.
fn victim(failures: &Path) -> Command {
    let mut command = other_test("failure::fails");
    command
        .env("VICTIM", "1")
        .env("VM_FAILURES", failures)
        .stdin(Stdio::null());
    command
}

#[test]
fn leaves_what_there_is_to_know() {
    let failures = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = victim(failures.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{stderr}");
    let dir = failures.path().join("failure.fails");
    assert!(stderr.contains(dir.to_str().unwrap()), "{stderr}");

    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("test"), "failure::fails");
    assert!(read("story.txt").contains("no luck"), "{stderr}");
    assert!(read("trace.html").contains("no luck"));
    assert!(read("minimal/console.log").contains("the last words"));
    assert!(read("minimal/qemu-command-line").contains("-accel tcg"));
    let screen = fs::read(dir.join("minimal/screen.png")).unwrap();
    assert!(screen.starts_with(b"\x89PNG"));
}

#[test]
fn can_wait_for_somebody_to_look() {
    let failures = tempfile::tempdir().unwrap();
    let mut victim = victim(failures.path())
        .env("VM_PAUSE_ON_FAILURE", "1")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut somebody = victim.stdin.take().unwrap();
    somebody
        .write_all(b"minimal info name\nother help\n")
        .unwrap();
    drop(somebody);
    let ended = victim.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    let (_, prompt) = said.split_once("its machines wait:").unwrap();
    assert!(prompt.contains("minimal: its state is in "), "{said}");
    assert!(prompt.contains("\nminimal\n"), "{said}");
    assert!(prompt.contains("there is no machine \"other\""), "{said}");
}
