use std::time::Duration;

use machine::Meaning;
use vm_tests::{KILL_SHELL, fresh};

use crate::driver::Run;

#[tokio::test]
async fn the_next_error_reports_trouble_on_the_console() {
    let vm = fresh("systemd").await;
    vm.watch_console("corruption", "checksum mismatch", Meaning::Noted)
        .unwrap();
    vm.succeed("dmesg -n 8; echo '<1>Found ordering cycle on x' >/dev/kmsg")
        .await
        .unwrap();
    vm.succeed("echo 'disk: checksum mismatch' >/dev/ttyS0")
        .await
        .unwrap();
    vm.wait_for_console_text("checksum mismatch\n")
        .await
        .unwrap();
    let error = vm.succeed("false").await.unwrap_err().to_string();
    for part in [
        "trouble seen on the console",
        "ordering cycle: ",
        "corruption: disk: checksum mismatch",
    ] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    vm.watch_console("the end", "it is over", Meaning::Ends)
        .unwrap();
    let error = vm
        .succeed("echo it is over >/dev/ttyS0; sleep 1000")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the end: it is over"), "{error}");
}

/// The kernel kills the root shell.
#[tokio::test]
async fn an_out_of_memory_guest_gets_a_new_shell() {
    let vm = fresh("minimal").await;
    let error = vm
        .succeed(
            "dmesg -n 8
             echo 1000 >/proc/${$#0}/oom_score_adj
             echo -1000 >/proc/self/oom_score_adj
             # The next process to be killed, which frees the memory.
             (echo 0 >/proc/self/oom_score_adj; exec tail /dev/zero) || sleep 1000",
        )
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("shell was restarted"), "{message}");
    assert!(message.contains("out of memory"), "{message}");
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
}

#[tokio::test]
async fn a_killed_shell_is_restarted() {
    for image in ["minimal", "systemd"] {
        let vm = fresh(image).await;
        let error = vm.succeed(KILL_SHELL).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("shell was restarted"), "{message}");
        assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_command() {
    let vm = fresh("minimal").await;
    let error = vm
        .succeed("fallocate -l 55M /disk/file; printf %9000000s >/disk/rest; sync")
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("on the console meanwhile"), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1_000_000).unwrap();
    let error = vm
        .copy_from_host_via_shell(file.path(), "/disk/other")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    assert_eq!(vm.succeed("echo goes on").await.unwrap(), "goes on\n");
}

#[tokio::test]
async fn clock_jumps_in_the_guest_have_no_effect() {
    let vm = fresh("systemd").await;
    let jump = |year: &str| format!("date -s {year}-01-01 >/dev/null");
    let waits = async {
        vm.wait_for_file("/tmp/there").await.unwrap();
        vm.wait_for_console_text("both jumps done").await.unwrap();
    };
    let jumps = async {
        vm.succeed(jump("2035")).await.unwrap();
        vm.succeed(jump("2001")).await.unwrap();
        vm.succeed("touch /tmp/there; echo both jumps done >/dev/ttyS0")
            .await
            .unwrap();
    };
    tokio::join!(waits, jumps);
    // Time-outs use the host's clock.
    let output = vm
        .execute(
            machine::Command::new(format!("{}; sleep 1000", jump("2035")))
                .timeout(Duration::from_secs(1)),
        )
        .await
        .unwrap();
    assert_eq!(output.exit, machine::Exit::TimedOut);
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
}

/// After a script has passed, the driver runs `sync` in all guests.
#[test]
fn a_failed_sync_at_the_end_is_a_warning() {
    let run = Run::booting(&[("one", "minimal"), ("other", "minimal")]);
    let script = r#"
from test_driver.errors import RequestedAssertionFailed
for vm in machines:
    vm.connect()
sync = r"'#!/bin/sh\nexit 5\n'"
one.succeed(f'path=$(type -P sync); rm $path; printf {sync} >$path; chmod +x $path')

def fail_to_sync(command, **_):
    if command == 'sync':
        raise RequestedAssertionFailed('sync: no answer')

other.execute = fail_to_sync
"#;
    let ended = run.command().arg(run.script(script)).output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{stderr}");
    for warning in [
        "one: the disk may lack recent writes: sync failed with exit code 5",
        "other: the disk may lack recent writes: sync: no answer",
    ] {
        assert!(stderr.contains(warning), "{stderr}");
    }
}
