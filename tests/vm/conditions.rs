use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use machine::ErrorKind;
use vm_tests::fresh;

#[tokio::test]
async fn a_condition_is_checked_before_commands() {
    let vm = fresh("minimal").await;
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

    // The command that ends it is run, the next one is not.
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
async fn a_condition_is_not_checked_too_often_and_can_be_waited_for() {
    let vm = fresh("minimal").await;
    vm.connect().await.unwrap();
    let checks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&checks);
    let third = vm.polling_condition("third time lucky", Duration::from_hours(1), move |_| {
        let count = counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(count >= 2) }
    });
    third.wait().await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 3);
    // Due, as the wait is not a check of its own; then not for an hour.
    vm.succeed("true").await.unwrap();
    vm.succeed("true").await.unwrap();
    assert_eq!(checks.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn anything_can_be_waited_for() {
    let vm = fresh("minimal").await;
    let looks = AtomicU32::new(0);
    vm.retry("the third look", async || {
        vm.succeed("true").await?;
        Ok(looks.fetch_add(1, Ordering::Relaxed) == 2)
    })
    .await
    .unwrap();
    assert_eq!(looks.load(Ordering::Relaxed), 3);
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
    let vm = fresh("minimal").await;
    let uptime = "cut -d' ' -f1 /proc/uptime";
    let seconds = async || {
        vm.succeed(uptime)
            .await
            .unwrap()
            .trim()
            .parse::<f64>()
            .unwrap()
    };
    let before = seconds().await;
    vm.sleep(Duration::from_millis(1500)).await.unwrap();
    assert!(seconds().await - before >= 1.5);
}
