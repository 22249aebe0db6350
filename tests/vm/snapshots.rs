use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machine::ErrorKind;
use vm_tests::template;

use crate::templates::{PREPARED, SLEEPS};

/// Mounts the share if it is an automount, and checks it.
const USES_SHARE: &str = "ls /tmp/shared >/dev/null; grep -q ' /tmp/shared 9p ' /proc/mounts";

/// The kernel's log level for consoles, which a restore must keep.
const CONSOLE_LEVEL: &str = "cat /proc/sys/kernel/printk";

#[tokio::test]
async fn restore_returns_to_the_snapshot() {
    let template = template("systemd")
        .wait_for_unit(PREPARED)
        .build()
        .await
        .unwrap();
    let vm = template.clone_machine().await.unwrap();
    vm.succeed("echo before >/root/file; echo before >/run/file")
        .await
        .unwrap();
    vm.succeed(USES_SHARE).await.unwrap();
    let level = vm.succeed(CONSOLE_LEVEL).await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    for _ in 0..2 {
        vm.succeed(USES_SHARE).await.unwrap();
        assert_eq!(vm.succeed(CONSOLE_LEVEL).await.unwrap(), level);
        let changed = "echo after >/root/file; rm /run/file; sleep 4321 >&2 & sync";
        vm.succeed(changed).await.unwrap();
        vm.restore(&snapshot).await.unwrap();
        let files = vm.succeed("cat /root/file /run/file").await.unwrap();
        assert_eq!(files, "before\nbefore\n");
        vm.fail(SLEEPS).await.unwrap();
    }
    let now = vm.succeed("date +%s").await.unwrap();
    let now = Duration::from_secs(now.trim().parse().unwrap());
    let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        host.abs_diff(now) < Duration::from_secs(30),
        "{host:?} {now:?}"
    );

    // The machine keeps its identity, but its random values differ.
    let values = "cat /proc/sys/kernel/random/uuid /etc/machine-id; od -N 16 -x /dev/urandom";
    let mut seen = Vec::new();
    for _ in 0..2 {
        vm.restore(&snapshot).await.unwrap();
        seen.push(vm.succeed(values).await.unwrap());
    }
    let [first, second] = [&seen[0], &seen[1]].map(|it| it.lines().collect::<Vec<_>>());
    assert_ne!(first[0], second[0]);
    assert_eq!(first[1], second[1]);
    assert_ne!(first[2], second[2]);

    let other = template.clone_machine().await.unwrap();
    let error = other.restore(&snapshot).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Snapshot { .. }),
        "{error}"
    );
}

/// Each is dropped while the guest is stopped; the guest resumes.
#[tokio::test]
async fn an_abandoned_snapshot_or_restore_is_finished() {
    let template = template("minimal").build().await.unwrap();
    let vm = template.clone_machine().await.unwrap();
    let is_stopped = async || {
        let stopped = vm.wait_for_qmp_event(|event| event.name == "STOP").await;
        stopped.map(drop)
    };
    tokio::select! {
        taken = vm.snapshot() => panic!("{taken:?}"),
        stopped = is_stopped() => stopped.unwrap(),
    }
    vm.succeed("echo before >/tmp/file").await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    is_stopped().await.unwrap();
    vm.succeed("echo after >/tmp/file").await.unwrap();
    tokio::select! {
        restored = vm.restore(&snapshot) => panic!("{restored:?}"),
        stopped = is_stopped() => stopped.unwrap(),
    }
    assert_eq!(vm.succeed("cat /tmp/file").await.unwrap(), "before\n");
}

#[tokio::test]
async fn restore_works_from_any_state() {
    let template = template("minimal").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    vm.succeed("echo before >/tmp/file").await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    let restore = async || {
        vm.restore(&snapshot).await.unwrap();
        let command = "cat /tmp/file; grep -q ' /tmp/shared 9p' /proc/mounts";
        assert_eq!(vm.succeed(command).await.unwrap(), "before\n");
    };

    // A process uses the share.
    vm.succeed("cd /tmp/shared; sleep 4321 >&2 &")
        .await
        .unwrap();
    restore().await;

    // The guest has rebooted, or is rebooting.
    vm.reboot().await.unwrap();
    vm.fail("cat /tmp/file").await.unwrap();
    restore().await;
    vm.reboot().await.unwrap();
    restore().await;

    // The kernel panicked during a command.
    let panic = "echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger";
    vm.execute(panic).await.unwrap_err();
    restore().await;

    // The shell runs an abandoned command.
    let abandoned = vm.succeed("echo started >&2; sleep 4321");
    let started = vm.wait_for_console_text("started");
    tokio::select! {
        done = abandoned => panic!("{done:?}"),
        started = started => started.unwrap(),
    };
    restore().await;
    vm.fail(SLEEPS).await.unwrap();
}
