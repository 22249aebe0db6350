use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use machine::{Button, ErrorKind, Machine, QemuCommand};
use serde_json::Value;
use tokio::time::timeout;
use vm_tests::{SOON, fresh, scaled};

#[tokio::test]
async fn a_condition_is_checked_before_commands() {
    let vm = fresh("systemd").await;
    vm.succeed("touch /root/alive").await.unwrap();
    let checks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&checks);
    let alive = vm.polling_condition("the file is there", Duration::ZERO, move |vm| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(vm.execute("test -e /root/alive").await?.success()) }
    });
    vm.succeed("true").await.unwrap();
    vm.send_monitor_command("info status").await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 2);

    // The command that makes it false runs, the next one does not.
    vm.succeed("rm /root/alive").await.unwrap();
    let error = vm.succeed("touch /root/not-run").await.unwrap_err();
    let ErrorKind::Condition { condition } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(condition, "the file is there");
    let error = vm.send_monitor_command("info status").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Condition { .. }),
        "{error}"
    );

    drop(alive);
    vm.fail("test -e /root/not-run").await.unwrap();
}

#[tokio::test]
async fn a_condition_is_checked_before_screen_operations() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let (holds, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (shared, counted) = (Arc::clone(&holds), Arc::clone(&checks));
    let _condition = vm.polling_condition("it holds", Duration::ZERO, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let holds = shared.load(Ordering::Relaxed);
        async move { Ok(holds) }
    });
    vm.get_screen_text().await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 1);

    // It ends a wait between two checks.
    let ended = vm.wait_for_text_with("the condition to fail", {
        let holds = Arc::clone(&holds);
        move |_| {
            holds.store(false, Ordering::Relaxed);
            false
        }
    });
    let errors = [
        ended.await.unwrap_err(),
        vm.screenshot("not-taken").await.unwrap_err(),
        vm.reboot().await.unwrap_err(),
        vm.get_screen_text_variants().await.unwrap_err(),
        vm.find_text("x").await.unwrap_err(),
        vm.wait_for_still_screen(Duration::ZERO).await.unwrap_err(),
        vm.move_pointer(1, 1).await.unwrap_err(),
        vm.click(Button::Left).await.unwrap_err(),
    ];
    for error in errors {
        let ErrorKind::Condition { condition } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(condition, "it holds");
    }
    assert!(!vm.out_dir().join("not-taken.png").exists());
}

#[tokio::test]
async fn conditions_need_no_guest() {
    // Firmware, and nothing to boot.
    let vm = Machine::new(QemuCommand::new("firmware")).unwrap();
    let vm = vm.within(SOON);
    let runs = async || {
        Ok(vm
            .send_monitor_command("info status")
            .await?
            .contains("running"))
    };
    let error = vm.retry("it to run", runs).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotRunning { .. }),
        "{error}"
    );
    vm.start().await.unwrap();
    vm.retry("it to run", runs).await.unwrap();
    let condition = vm.polling_condition("it runs", Duration::ZERO, async |vm| {
        Ok(vm.qmp("query-status", Value::Null).await?["running"] == true)
    });
    condition.wait().await.unwrap();

    // A machine that was crashed is not started again.
    vm.crash().await.unwrap();
    let error = condition.wait().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Exited { .. }), "{error}");
    assert_eq!(vm.pid(), None);
}

#[tokio::test]
async fn a_condition_has_an_interval_and_can_be_waited_for() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let checks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&checks);
    let third = vm.polling_condition("third time lucky", Duration::from_hours(1), move |_| {
        let count = counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(count >= 2) }
    });
    third.wait().await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 3);
    // The wait does not restart the interval, so the next operation checks once more.
    vm.succeed("true").await.unwrap();
    vm.succeed("true").await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 4);
}

/// Makes the condition false after a moment, and runs `operation`, which it must end soon.
async fn ends(vm: &Machine, operation: impl Future<Output = machine::Result<()>>) {
    vm.unchecked()
        .succeed("touch /run/up; (sleep 2; rm /run/up) >&2 &")
        .await
        .unwrap();
    let ended = timeout(scaled(Duration::from_secs(20)), operation).await;
    let error = ended.expect("an end within 20 seconds").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Condition { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_condition_is_checked_during_operations() {
    let vm = fresh("systemd").await;
    vm.succeed("systemd-run --no-block --unit=never -p Type=notify sleep 1d")
        .await
        .unwrap();
    vm.succeed("touch /run/up").await.unwrap();
    let _up = vm.polling_condition("the file is there", Duration::from_secs(1), async |vm| {
        Ok(vm.execute("test -e /run/up").await?.success())
    });
    let hour = Duration::from_hours(1);
    ends(&vm, async {
        vm.wait_for_console_text("not shown").await.map(drop)
    })
    .await;
    ends(&vm, async {
        vm.wait_for_qmp_event(|_| false).await.map(drop)
    })
    .await;
    ends(&vm, vm.sleep(hour)).await;
    ends(&vm, vm.wait_for_file("/never")).await;
    ends(&vm, vm.wait_for_unit("never")).await;
    ends(&vm, vm.wait_for_open_port(9)).await;
    ends(&vm, vm.wait_for_open_unix_socket("/never", false)).await;
    ends(&vm, vm.wait_for_window("never")).await;
    ends(&vm, vm.wait_for_x()).await;
    ends(&vm, vm.wait_for_still_screen(hour)).await;
    ends(&vm, vm.wait_until_tty_matches("1", "never")).await;
    ends(&vm, async {
        vm.wait_until_succeeds("false").await.map(drop)
    })
    .await;
    ends(&vm, async { vm.retry("never", async || Ok(false)).await }).await;
    // While a command keeps the shell, the condition can't be checked.
    ends(&vm, async { vm.succeed("sleep 6").await.map(drop) }).await;
}

#[tokio::test]
async fn a_condition_that_needs_no_shell_ends_commands() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let holds = Arc::new(AtomicBool::new(true));
    let shared = Arc::clone(&holds);
    let _condition = vm.polling_condition("it holds", Duration::ZERO, move |_| {
        let holds = shared.load(Ordering::Relaxed);
        async move { Ok(holds) }
    });
    let command = vm.succeed("echo begun >/dev/ttyS0; sleep 1000");
    let breaks = async {
        vm.wait_for_console_text("begun").await.unwrap();
        holds.store(false, Ordering::Relaxed);
    };
    let (ran, ()) = tokio::join!(command, breaks);
    let error = ran.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Condition { .. }),
        "{error}"
    );
    holds.store(true, Ordering::Relaxed);
    vm.fail("pgrep -f 'sleep 100[0]'").await.unwrap();
}

/// The guest's uptime in seconds, rounded down to hundredths.
async fn uptime(vm: &Machine) -> f64 {
    let uptime = vm.succeed("cut -d' ' -f1 /proc/uptime").await.unwrap();
    uptime.trim().parse().unwrap()
}

#[tokio::test]
async fn the_guest_sleeps_while_conditions_are_checked() {
    let vm = fresh("systemd").await;
    let _up = vm.polling_condition("it runs", Duration::from_secs(1), async |vm| {
        Ok(vm.execute("true").await?.success())
    });
    let before = uptime(&vm).await;
    vm.sleep(Duration::from_secs(4)).await.unwrap();
    let slept = uptime(&vm).await - before;
    assert!(slept > 3.98, "{slept}");
}

#[tokio::test]
async fn retry_waits_for_any_condition() {
    let vm = fresh("systemd").await;
    let attempts = AtomicU32::new(0);
    vm.retry("the third attempt", async || {
        vm.succeed("true").await?;
        Ok(attempts.fetch_add(1, Ordering::Relaxed) == 2)
    })
    .await
    .unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    let patient = vm.within(Duration::from_millis(100));
    let error = patient
        .retry("what never comes", async || Ok(false))
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("what never comes"), "{error}");
    let error = vm
        .retry("it", async || vm.succeed("false").await.map(|_| true))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CommandFailed { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn the_guest_sleeps_by_its_own_clock() {
    let vm = fresh("systemd").await;
    let before = uptime(&vm).await;
    vm.sleep(Duration::from_millis(1500)).await.unwrap();
    // Both times are rounded down to hundredths.
    assert!(uptime(&vm).await - before > 1.48);
}
