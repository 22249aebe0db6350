//! Waits that share a history of events.

use std::sync::{Arc, Mutex};

use qmp_mon::{Error, Event};
use serde_json::{Value, json};

use super::qmp::connected;
use super::started;

fn named(name: &str) -> impl FnMut(Result<&Event, Error>) -> bool {
    move |next| next.is_ok_and(|event| event.name == name)
}

#[tokio::test]
async fn concurrent_waits_are_independent() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    let resume = started(history.wait_for(named("RESUME"))).await;
    let stop = started(history.wait_for(named("STOP"))).await;
    qemu.event("STOP", Value::Null).await;
    qemu.event("RESUME", Value::Null).await;
    assert_eq!(resume.await.unwrap().name, "RESUME");
    assert_eq!(stop.await.unwrap().name, "STOP");
}

#[tokio::test]
async fn a_wait_starts_after_the_last_event_returned() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    for name in ["STOP", "RESUME", "STOP"] {
        qemu.event(name, Value::Null).await;
    }
    for name in ["STOP", "RESUME", "STOP"] {
        assert_eq!(history.wait_for(named(name)).await.unwrap().name, name);
    }
    let _pending = started(history.wait_for(named("STOP"))).await;
}

/// Also if the tasks run in parallel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_has_the_events_before_a_reply() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    for _ in 0..100 {
        let stop = qmp.execute("stop", Value::Null);
        let (stopped, ()) = tokio::join!(stop, async {
            let (_, _, id) = qemu.command().await;
            qemu.event("STOP", Value::Null).await;
            qemu.returns(&id, json!({})).await;
        });
        stopped.unwrap();
        assert_eq!(history.take().len(), 1);
    }
}

#[tokio::test]
async fn a_dropped_wait_does_not_move_the_cursor() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    let examined = Arc::new(Mutex::new(0));
    let count = Arc::clone(&examined);
    let never = {
        let history = history.clone();
        tokio::spawn(async move {
            let wanted = |_: Result<&Event, Error>| {
                *count.lock().unwrap() += 1;
                false
            };
            history.wait_for(wanted).await
        })
    };
    qemu.event("STOP", Value::Null).await;
    while *examined.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    never.abort();
    assert!(never.await.unwrap_err().is_cancelled());
    let event = history.wait_for(named("STOP")).await.unwrap();
    assert_eq!(event.name, "STOP");
}

#[tokio::test]
async fn a_wait_is_called_with_the_number_of_lost_events() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    for _ in 0..1030 {
        qemu.event("STOP", Value::Null).await;
    }
    drop(qemu);
    qmp.closed().await;
    let (mut lost, mut seen) = (0, 0);
    let ended = history.wait_for(|next| {
        match next {
            Ok(_) => seen += 1,
            Err(Error::EventsLost { count }) => lost += count,
            Err(error) => panic!("{error}"),
        }
        false
    });
    assert!(ended.await.is_err());
    assert_eq!(lost + seen, 1030);
    assert!(lost >= 6, "{lost}");
}

#[tokio::test]
async fn ends_with_the_monitor_after_all_events_were_examined() {
    let (qmp, mut qemu) = connected().await;
    let history = qmp.event_history();
    qemu.event("SHUTDOWN", Value::Null).await;
    drop(qemu);
    assert!(matches!(qmp.closed().await, Error::Closed { .. }));
    let event = history.wait_for(named("SHUTDOWN")).await.unwrap();
    assert_eq!(event.name, "SHUTDOWN");
    let ended = history.wait_for(named("SHUTDOWN")).await.unwrap_err();
    assert!(matches!(ended, Error::Closed { .. }), "{ended:?}");
}
