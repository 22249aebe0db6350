use std::time::{Duration, Instant};

use machine::{Error, ErrorKind, Machine, StartScript};
use vm_tests::{fresh, scaled, start_script};

/// Prevents the kernel from rebooting after a panic.
const NO_REBOOT: &str = "echo 0 >/proc/sys/kernel/panic";

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
async fn a_panic_ends_all_waits() {
    let vm = fresh("console").await;
    vm.succeed(NO_REBOOT).await.unwrap();
    let (repeated, console, port, text, retry, end, command) = tokio::join!(
        vm.wait_until_succeeds("false"),
        vm.wait_for_console_text("never printed"),
        vm.wait_for_open_port(1),
        vm.wait_for_text("never shown"),
        vm.retry("something impossible", async || Ok(false)),
        vm.wait_for_shutdown(),
        vm.execute(PANIC),
    );
    assert_panicked(&repeated.unwrap_err());
    assert_panicked(&console.unwrap_err());
    assert_panicked(&port.unwrap_err());
    assert_panicked(&text.unwrap_err());
    assert_panicked(&retry.unwrap_err());
    assert_panicked(&end.unwrap_err());
    assert_panicked(&command.unwrap_err());
    assert_panicked(&vm.succeed("true").await.unwrap_err());

    // QEMU still runs: monitors and screenshots work.
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
async fn a_panic_ends_waits_for_systemd() {
    let vm = fresh("systemd").await;
    vm.succeed(NO_REBOOT).await.unwrap();
    let unit = r"[Service]\nType=oneshot\nExecStart=sleep 1000\n";
    vm.succeed(format!(
        "printf '{unit}' >/run/systemd/system/slow.service
         systemctl start --no-block slow.service"
    ))
    .await
    .unwrap();
    let (unit, job, tty, command) = tokio::join!(
        vm.wait_for_unit("slow.service"),
        vm.wait_for_job("slow.service"),
        vm.wait_until_tty_matches("1", "never shown"),
        vm.execute(PANIC),
    );
    assert_panicked(&unit.unwrap_err());
    assert_panicked(&job.unwrap_err());
    assert_panicked(&tty.unwrap_err());
    assert_panicked(&command.unwrap_err());
}

/// A machine whose kernel panics when `program` is called.
async fn panics_on(program: &str) -> Machine {
    let vm = fresh("systemd").await;
    vm.succeed(format!(
        "{NO_REBOOT}; path=$(type -P {program}); rm $path
         printf '#!/bin/sh\n{PANIC}\n' >$path; chmod +x $path"
    ))
    .await
    .unwrap();
    vm
}

#[tokio::test]
async fn a_panic_ends_a_copy() {
    let vm = panics_on("cp").await;
    let out = vm.copy_from_machine("/etc", "").await;
    assert_panicked(&out.unwrap_err());
    let vm = panics_on("cp").await;
    let into = vm.copy_from_host("/etc/hosts", "/tmp/hosts").await;
    assert_panicked(&into.unwrap_err());
}

#[tokio::test]
async fn a_panic_ends_a_shutdown() {
    let vm = panics_on("poweroff").await;
    assert_panicked(&vm.shutdown().await.unwrap_err());
}

#[tokio::test]
async fn a_panic_ends_a_boot() {
    let arguments = "console=ttyS0 rdinit=/nowhere panic=0 no_timer_check tsc=unstable";
    let script = StartScript::new(start_script("minimal")).args(["-append", arguments]);
    let vm = Machine::new(script).unwrap();
    let error = vm.connect().await.unwrap_err();
    let ErrorKind::GuestEnded { trouble, .. } = error.kind() else {
        panic!("{error}")
    };
    assert!(trouble.line.contains("Unable to mount root"), "{error}");
}

#[tokio::test]
async fn a_panic_is_recognised_from_the_console() {
    let vm = fresh("systemd").await;
    vm.succeed(NO_REBOOT).await.unwrap();
    vm.succeed("cd /sys/bus/pci/drivers/pvpanic-pci; for card in 0*; do echo $card >unbind; done")
        .await
        .unwrap();
    assert_panicked(&vm.succeed(PANIC).await.unwrap_err());
}

#[tokio::test]
async fn a_panic_with_immediate_reboot_ends_the_machine() {
    let vm = fresh("systemd").await;
    let error = vm.succeed(PANIC).await.unwrap_err();
    assert_panicked(&error);
    assert!(vm.wait_for_shutdown().await.unwrap().is_some());
    let log = vm.get_console_log().await.unwrap();
    assert!(log.contains("Kernel panic - not syncing"), "{log}");
}

#[tokio::test]
async fn a_panic_ends_wait_for_shutdown() {
    let vm = fresh("systemd").await;
    vm.succeed(NO_REBOOT).await.unwrap();
    let (end, printed, command) = tokio::join!(
        async { (vm.wait_for_shutdown().await, Instant::now()) },
        async {
            let last_line = "end Kernel panic - not syncing";
            let console = vm.wait_for_console_text(last_line).await;
            (console, Instant::now())
        },
        vm.execute(PANIC),
    );
    assert_panicked(&end.0.unwrap_err());
    assert_panicked(&command.unwrap_err());
    // The wait does not allow time for a reboot: the kernel has announced that it halts.
    let delay = end.1.saturating_duration_since(printed.1);
    assert!(delay < scaled(Duration::from_secs(2)), "{delay:?}");
}

/// The wait lasts until the kernel's own delay is over, but not beyond the caller's limit.
#[tokio::test]
async fn a_delayed_reboot_ends_wait_for_shutdown() {
    let reboots_after = |seconds: u64| format!("echo {seconds} >/proc/sys/kernel/panic; {PANIC}");
    let vm = fresh("systemd").await;
    let (end, command) = tokio::join!(vm.wait_for_shutdown(), vm.execute(reboots_after(3)));
    assert!(end.unwrap().is_some());
    assert_panicked(&command.unwrap_err());

    let vm = fresh("systemd").await;
    let limited = vm.within(Duration::from_secs(3));
    let later = scaled(Duration::from_secs(20)).as_secs();
    let (end, command) = tokio::join!(
        limited.wait_for_shutdown(),
        vm.execute(reboots_after(later))
    );
    assert_panicked(&end.unwrap_err());
    assert_panicked(&command.unwrap_err());
}

#[tokio::test]
async fn an_allowed_panic_is_no_error() {
    let vm = fresh("systemd").await;
    vm.succeed(NO_REBOOT).await.unwrap();
    vm.allow_trouble("kernel panic").unwrap();
    let error = vm
        .within(Duration::from_secs(3))
        .execute(PANIC)
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{error}");
    assert_eq!(vm.trouble(), []);
    let error = vm.allow_trouble("the weather").unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
}
