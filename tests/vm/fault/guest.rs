use std::time::Duration;

use machine::{Error, ErrorKind, Machine, Meaning};
use vm_tests::fresh;

/// A kernel that panics stays there, rather than end the machine.
const STAYS: &str = "echo 0 >/proc/sys/kernel/panic";

const PANIC: &str = "echo c >/proc/sysrq-trigger; sleep 1000";

#[track_caller]
fn assert_panicked(error: &Error) {
    let ErrorKind::GuestEnded { trouble, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(trouble.name, "kernel panic", "{error}");
    assert!(trouble.line.contains("sysrq triggered crash"), "{error}");
}

#[tokio::test]
async fn a_panic_ends_whatever_waits() {
    let vm = fresh("minimal").await;
    vm.succeed(STAYS).await.unwrap();
    let (command, repeated, console, port, text, so) = tokio::join!(
        vm.execute(PANIC),
        vm.wait_until_succeeds("false"),
        vm.wait_for_console_text("never printed"),
        vm.wait_for_open_port(1),
        vm.wait_for_text("never shown"),
        vm.retry("what never comes", async || Ok(false)),
    );
    assert_panicked(&command.unwrap_err());
    assert_panicked(&repeated.unwrap_err());
    assert_panicked(&console.unwrap_err());
    assert_panicked(&port.unwrap_err());
    assert_panicked(&text.unwrap_err());
    assert_panicked(&so.unwrap_err());
    assert_panicked(&vm.succeed("true").await.unwrap_err());

    // QEMU lives, and has something to show.
    vm.wait_for_console_text("Kernel panic").await.unwrap();
    vm.wait_for_qmp_event(|event| event.name == "GUEST_PANICKED")
        .await
        .unwrap();
    let event = vm.wait_for_qmp_event(|event| event.name == "NEVER").await;
    assert_panicked(&event.unwrap_err());
    let status = vm.send_monitor_command("info status").await.unwrap();
    assert!(status.contains("running"), "{status}");
    let text = vm.get_screen_text().await.unwrap();
    assert!(text.contains("end Kernel panic"), "{text}");
    vm.crash().await.unwrap();
    assert_eq!(vm.succeed("echo booted").await.unwrap(), "booted\n");
    assert_eq!(vm.trouble(), []);
}

#[tokio::test]
async fn a_panic_is_recognised_by_the_console_alone() {
    let vm = fresh("minimal").await;
    vm.succeed(STAYS).await.unwrap();
    vm.succeed("cd /sys/bus/pci/drivers/pvpanic-pci; for card in 0*; do echo $card >unbind; done")
        .await
        .unwrap();
    assert_panicked(&vm.succeed(PANIC).await.unwrap_err());
}

#[tokio::test]
async fn a_panic_ends_a_machine_that_would_reboot() {
    let vm = fresh("minimal").await;
    let error = vm.succeed(PANIC).await.unwrap_err();
    assert_panicked(&error);
    assert!(vm.wait_for_shutdown().await.unwrap().is_some());
    let log = vm.get_console_log().await.unwrap();
    assert!(log.contains("Kernel panic - not syncing"), "{log}");
}

#[tokio::test]
async fn a_panic_that_is_wanted() {
    let vm = fresh("minimal").await;
    vm.succeed(STAYS).await.unwrap();
    vm.allow_trouble("kernel panic").unwrap();
    let error = vm
        .within(Duration::from_secs(2))
        .execute(PANIC)
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{error}");
    assert_eq!(vm.trouble(), []);
    let error = vm.allow_trouble("the weather").unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
}

#[tokio::test]
async fn trouble_is_told_of_by_the_next_error() {
    let vm = fresh("minimal").await;
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

/// Whoever has the root shell is the one that the kernel kills.
#[tokio::test]
async fn no_memory_left() {
    let vm = fresh("minimal").await;
    let error = vm
        .succeed(
            "dmesg -n 8
             echo 1000 >/proc/${$#0}/oom_score_adj
             echo -1000 >/proc/self/oom_score_adj
             # The next to be killed, so that there is an end to it.
             (echo 0 >/proc/self/oom_score_adj; exec tail /dev/zero) || sleep 1000",
        )
        .await
        .unwrap_err();
    let story = error.to_string();
    assert!(story.contains("shell was restarted"), "{story}");
    assert!(story.contains("out of memory"), "{story}");
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
}

#[tokio::test]
async fn the_shell_is_killed() {
    for image in ["minimal", "systemd"] {
        let vm = fresh(image).await;
        let error = vm.succeed("kill -9 ${$#0} 0").await.unwrap_err();
        let story = error.to_string();
        assert!(story.contains("shell was restarted"), "{story}");
        assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    }
}

#[tokio::test]
async fn no_room_on_its_disk() {
    let vm = fresh("minimal").await;
    let error = vm
        .succeed("fallocate -l 55M /disk/file; printf %9000000s >/disk/rest; sync")
        .await
        .unwrap_err();
    let story = error.to_string();
    assert!(story.contains("on the console meanwhile"), "{story}");
    assert!(story.contains("No space left on device"), "{story}");
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
async fn its_clock_jumps() {
    let vm = fresh("minimal").await;
    let jump = |year: &str| format!("date -s {year}-01-01 >/dev/null");
    let waits = async {
        vm.wait_for_file("/tmp/there").await.unwrap();
        vm.wait_for_console_text("both have jumped").await.unwrap();
    };
    let jumps = async {
        vm.succeed(jump("2035")).await.unwrap();
        vm.succeed(jump("2001")).await.unwrap();
        vm.succeed("touch /tmp/there; echo both have jumped >/dev/ttyS0")
            .await
            .unwrap();
    };
    tokio::join!(waits, jumps);
    // Time-outs are the host's affair.
    let output = vm
        .execute(
            machine::Command::new(format!("{}; sleep 1000", jump("2035")))
                .timeout(Duration::from_secs(1)),
        )
        .await
        .unwrap();
    assert_eq!(output.exit, machine::Exit::TimedOut);
    assert_eq!(right_answer(&vm).await, "right\n");
}

async fn right_answer(vm: &Machine) -> String {
    vm.succeed("echo right").await.unwrap()
}
