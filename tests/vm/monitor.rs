use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use machine::ErrorKind;
use machine::qmp_mon::{self, ErrorClass, Keys};
use serde_json::{Value, json};
use vm_tests::{SOON, fresh};

#[tokio::test]
async fn human_monitor() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    assert_eq!(
        vm.send_monitor_command("info status").await.unwrap(),
        "VM status: running\n"
    );
    let tree = vm.send_monitor_command("info qtree").await.unwrap();
    assert!(
        tree.starts_with("bus: main-system-bus\n") && tree.lines().count() > 100,
        "{tree}"
    );
    assert_eq!(vm.send_monitor_command("").await.unwrap(), "");
    // Commands that fail, one of them with the prompt in its reply.
    for (command, words) in [
        ("no-such-command", "unknown command: 'no-such-command'\n"),
        ("(qemu) ", "unknown command: '(qemu)'\n"),
        ("device_del nope", "Error: Device 'nope' not found\n"),
        ("sendkey nope", "invalid parameter: nope\n"),
    ] {
        let error = vm.send_monitor_command(command).await.unwrap_err();
        let ErrorKind::MonitorCommandFailed { reply, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(reply, words, "{command}");
    }
    assert_eq!(
        vm.send_monitor_command("print 6 * 7").await.unwrap(),
        "0x2a\n"
    );
}

#[tokio::test]
async fn a_command_of_two_lines_is_refused() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let error = vm
        .send_monitor_command("info status\nquit")
        .await
        .unwrap_err();
    let ErrorKind::Monitor { source, .. } = error.kind() else {
        panic!("{error}")
    };
    assert!(
        matches!(source, qmp_mon::Error::BadCommand { .. }),
        "{error}"
    );
    vm.send_monitor_command("info status").await.unwrap();
}

#[tokio::test]
async fn qmp() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let status = vm.qmp("query-status", Value::Null).await.unwrap();
    assert_eq!(status["running"], true);
    let error = vm
        .qmp("device_del", json!({ "id": "nope" }))
        .await
        .unwrap_err();
    let ErrorKind::Monitor {
        source: qmp_mon::Error::Qmp { class, desc, .. },
        ..
    } = error.kind()
    else {
        panic!("{error}")
    };
    assert_eq!(
        (class, desc.as_str()),
        (&ErrorClass::DeviceNotFound, "Device 'nope' not found")
    );
    // An error names the command once.
    for (command, arguments, reason) in [
        (
            "query-nope",
            Value::Null,
            "The command query-nope has not been found (CommandNotFound)",
        ),
        (
            "query-status",
            json!(7),
            "the arguments must be a JSON object or null, not 7",
        ),
    ] {
        let error = vm.qmp(command, arguments).await.unwrap_err().to_string();
        let expected = format!("systemd: QMP command `{command}`: {reason}");
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn qmp_events_come_while_commands_are_in_flight() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let client = vm.qmp_client().unwrap();
    let events = client.events();
    let (stop, status, cont) = tokio::join!(
        client.execute("stop", Value::Null),
        client.execute("query-status", Value::Null),
        client.execute("cont", Value::Null),
    );
    stop.unwrap();
    assert_eq!(status.unwrap()["running"], false);
    cont.unwrap();
    let names: Vec<String> = events
        .take(2)
        .map(|event| event.unwrap().name)
        .collect()
        .await;
    assert_eq!(names, ["STOP", "RESUME"]);
}

#[tokio::test]
async fn qmp_reports_the_shutdown() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let mut events = vm.qmp_client().unwrap().events();
    let (event, done) = tokio::join!(events.wait_for("SHUTDOWN"), vm.shutdown());
    assert_eq!(event.unwrap().data["guest"], true);
    done.unwrap();
}

#[tokio::test]
async fn qemu_accepts_every_key() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    for character in (' '..='~').chain(['\n', '\t', '\u{8}', '\u{1b}']) {
        let key = Keys::for_char(character).unwrap();
        // Held for a millisecond only, since QEMU queues keys.
        let reply = vm
            .send_monitor_command(&format!("sendkey {key} 1"))
            .await
            .unwrap();
        assert_eq!(reply, "", "{character:?} is {key}");
    }
}

#[tokio::test]
async fn an_event_is_waited_for() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    // One that has already been received, after another.
    vm.qmp("stop", Value::Null).await.unwrap();
    vm.qmp("cont", Value::Null).await.unwrap();
    let event = vm
        .wait_for_qmp_event(|event| event.name == "RESUME")
        .await
        .unwrap();
    assert_eq!(event.name, "RESUME");
    // A future one, since the earlier one was consumed.
    let later = async {
        vm.qmp("stop", Value::Null).await.unwrap();
        vm.qmp("cont", Value::Null).await.unwrap();
    };
    let waiting = vm.wait_for_qmp_event(|event| event.name == "RESUME");
    let (event, ()) = tokio::join!(waiting, later);
    event.unwrap();

    vm.qmp("stop", Value::Null).await.unwrap();
    let patient = vm.within(Duration::from_millis(200));
    let error = patient
        .wait_for_qmp_event(|event| event.name == "NEVER")
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    // Loading the clone has caused events, too, but they are not the guest's.
    assert!(error.to_string().contains("last seen: STOP"), "{error}");
    assert!(!error.to_string().contains("MIGRATION"), "{error}");

    let names = || {
        let events = vm.take_qmp_events().unwrap();
        let names = events.into_iter().map(|event| event.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(), ["STOP"]);
    assert_eq!(names(), [""; 0]);
}

/// The wait that ends last needs an event that the other one has passed over.
#[tokio::test]
async fn two_waits_at_once_each_find_their_event() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let vm = vm.within(SOON);
    // Loading a clone causes events, too.
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let wait_for = async |name: &str| {
        vm.wait_for_qmp_event(|event| {
            event.name == name && event.timestamp.is_some_and(|time| time > begin)
        })
        .await
    };
    let stop_and_continue = async {
        // Both waits have begun by then.
        tokio::task::yield_now().await;
        vm.send_monitor_command("stop").await.unwrap();
        vm.send_monitor_command("cont").await.unwrap();
    };
    let (resume, stop, ()) = tokio::join!(wait_for("RESUME"), wait_for("STOP"), stop_and_continue);
    assert_eq!(resume.unwrap().name, "RESUME");
    assert_eq!(stop.unwrap().name, "STOP");
}
