//! QMP's client.

use futures_util::StreamExt as _;
use qmp_mon::{Error, ErrorClass, Event, Hmp, Qmp};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream,
};

use super::readline::GREETING;
use super::{NARROW, started};

/// QEMU's end of a QMP monitor.
pub(super) struct Qemu(BufReader<DuplexStream>);

impl Qemu {
    async fn send(&mut self, line: &Value) {
        self.0
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
    }

    pub(super) async fn event(&mut self, name: &str, data: Value) {
        let timestamp = json!({"seconds": 1, "microseconds": 2});
        self.send(&json!({"event": name, "data": data, "timestamp": timestamp}))
            .await;
    }

    pub(super) async fn returns(&mut self, id: &Value, value: Value) {
        self.send(&json!({"return": value, "id": id})).await;
    }

    /// Reads the next command: its name, arguments and id.
    pub(super) async fn command(&mut self) -> (String, Value, Value) {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        let mut line: Value = line.parse().unwrap();
        let name = line["execute"].as_str().unwrap().to_owned();
        (name, line["arguments"].take(), line["id"].take())
    }
}

pub(super) async fn connected() -> (Qmp, Qemu) {
    let (ours, theirs) = tokio::io::duplex(NARROW);
    let mut qemu = Qemu(BufReader::new(theirs));
    let (qmp, ()) = tokio::join!(Qmp::connect(ours), async {
        let version = json!({"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""});
        qemu.send(&json!({"QMP": {"version": version, "capabilities": ["oob"]}}))
            .await;
        let (command, arguments, id) = qemu.command().await;
        assert_eq!((&command[..], arguments), ("qmp_capabilities", Value::Null));
        qemu.returns(&id, json!({})).await;
    });
    (qmp.unwrap(), qemu)
}

fn names(events: Vec<Result<Event, Error>>) -> Vec<String> {
    events
        .into_iter()
        .map(|event| event.unwrap().name)
        .collect()
}

#[tokio::test]
async fn a_command_returns_its_result() {
    let (qmp, mut qemu) = connected().await;
    assert_eq!(qmp.greeting().version.major, 7);
    let (value, ()) = tokio::join!(qmp.execute("query-x", json!({"a": [1]})), async {
        let (command, arguments, id) = qemu.command().await;
        assert_eq!((&command[..], arguments), ("query-x", json!({"a": [1]})));
        qemu.returns(&id, json!({"b": 2})).await;
    });
    assert_eq!(value.unwrap(), json!({"b": 2}));
}

#[tokio::test]
async fn a_failure_is_a_typed_error() {
    let (qmp, mut qemu) = connected().await;
    let (failed, ()) = tokio::join!(qmp.execute("device_del", Value::Null), async {
        let (_, _, id) = qemu.command().await;
        let error = json!({"class": "DeviceNotFound", "desc": "Device 'x' not found"});
        qemu.send(&json!({"id": id, "error": error})).await;
    });
    let Err(Error::Qmp {
        command,
        class,
        desc,
    }) = failed
    else {
        panic!("{failed:?}")
    };
    assert_eq!(
        (&command[..], &desc[..]),
        ("device_del", "Device 'x' not found")
    );
    assert_eq!(class, ErrorClass::DeviceNotFound);
}

#[tokio::test]
async fn several_commands_in_flight_and_events_between() {
    let (qmp, mut qemu) = connected().await;
    let events = qmp.events();
    let (a, b, ()) = tokio::join!(
        qmp.execute("a", Value::Null),
        qmp.execute("b", Value::Null),
        async {
            let (first, _, first_id) = qemu.command().await;
            let (second, _, second_id) = qemu.command().await;
            qemu.event("STOP", Value::Null).await;
            qemu.returns(&second_id, json!(second)).await;
            qemu.event("RESUME", Value::Null).await;
            qemu.returns(&first_id, json!(first)).await;
        }
    );
    assert_eq!((a.unwrap(), b.unwrap()), (json!("a"), json!("b")));
    assert_eq!(names(events.take(2).collect().await), ["STOP", "RESUME"]);
}

#[tokio::test]
async fn typed_results() {
    #[derive(Debug, serde::Deserialize)]
    struct Status {
        running: bool,
    }
    let (qmp, mut qemu) = connected().await;
    let results = [
        json!({"running": true, "status": "running"}),
        json!({"status": 7}),
        json!([1]),
    ];
    let replies = async {
        for result in results {
            let (_, arguments, id) = qemu.command().await;
            assert_eq!(arguments, Value::Null);
            qemu.returns(&id, result).await;
        }
    };
    let requests = async {
        let status: Status = qmp.execute_as("query-status", Value::Null).await.unwrap();
        assert!(status.running);
        let error = qmp
            .execute_as::<Status>("query-status", Value::Null)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("`query-status`: {\"status\":7}"), "{text}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("missing field `running`"), "{source}");
        assert_eq!(qmp.query("query-cpus-fast").await.unwrap(), json!([1]));
    };
    tokio::join!(requests, replies);
}

#[tokio::test]
async fn waiting_for_an_event_starts_with_the_call() {
    let (qmp, mut qemu) = connected().await;
    let reset = qmp.wait_for_event("RESET");
    qemu.event("STOP", Value::Null).await;
    qemu.event("RESET", json!({"guest": true})).await;
    // The reply follows the events, so the client has received them.
    let (done, ()) = tokio::join!(qmp.execute("x", Value::Null), async {
        let (_, _, id) = qemu.command().await;
        qemu.returns(&id, json!({})).await;
    });
    done.unwrap();
    assert_eq!(reset.await.unwrap().data, json!({"guest": true}));
}

#[tokio::test]
async fn a_slow_subscriber_receives_the_number_of_lost_events() {
    let (qmp, mut qemu) = connected().await;
    let mut events = qmp.events();
    let wanted = qmp.wait_for_event("WANTED");
    for number in 0..1024 + 5 {
        qemu.event("TICK", json!(number)).await;
    }
    let (done, ()) = tokio::join!(qmp.execute("x", Value::Null), async {
        let (_, _, id) = qemu.command().await;
        qemu.returns(&id, json!({})).await;
    });
    done.unwrap();
    let lost = events.next().await.unwrap();
    assert!(
        matches!(lost, Err(Error::EventsLost { count: 5 })),
        "{lost:?}"
    );
    assert_eq!(events.next().await.unwrap().unwrap().data, json!(5));
    assert!(matches!(wanted.await, Err(Error::EventsLost { count: 5 })));
}

#[tokio::test]
async fn a_dropped_command_does_not_affect_others() {
    let (qmp, mut qemu) = connected().await;
    let dropped = started(qmp.execute("dropped", Value::Null)).await;
    let (_, _, dropped_id) = qemu.command().await;
    drop(dropped);
    let (value, ()) = tokio::join!(qmp.execute("next", Value::Null), async {
        let (_, _, id) = qemu.command().await;
        qemu.returns(&dropped_id, json!("dropped")).await;
        qemu.returns(&id, json!("next")).await;
    });
    assert_eq!(value.unwrap(), json!("next"));
}

#[tokio::test]
async fn closing_ends_commands_and_events() {
    let (qmp, mut qemu) = connected().await;
    let mut events = qmp.events();
    let shutdown = started(qmp.wait_for_event("SHUTDOWN")).await;
    let (a, b, ()) = tokio::join!(
        qmp.execute("a", Value::Null),
        qmp.execute("b", Value::Null),
        async {
            qemu.command().await;
            qemu.0.write_all(b"{\"return\": {}, \"i").await.unwrap();
            drop(qemu);
        }
    );
    for error in [a.unwrap_err(), b.unwrap_err(), shutdown.await.unwrap_err()] {
        assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    }
    assert!(matches!(
        events.next().await,
        Some(Err(Error::Closed { .. }))
    ));
    assert!(events.next().await.is_none());

    assert!(qmp.closed().await.is_closed());
    assert!(
        qmp.execute("later", Value::Null)
            .await
            .unwrap_err()
            .is_closed()
    );
    assert!(matches!(
        qmp.events().next().await,
        Some(Err(Error::Closed { .. }))
    ));
}

#[tokio::test]
async fn invalid_qmp_closes_the_connection_with_an_error() {
    for line in [
        json!("nonsense"),
        json!({"error": {"class": "GenericError", "desc": "no id"}}),
    ] {
        let (qmp, mut qemu) = connected().await;
        let (failed, ()) = tokio::join!(qmp.execute("x", Value::Null), async {
            qemu.command().await;
            qemu.send(&line).await;
        });
        assert!(matches!(failed, Err(Error::Protocol { .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn invalid_arguments_are_not_sent() {
    let (qmp, qemu) = connected().await;
    let deep = (0..1100).fold(json!({}), |deep, _| json!({"a": deep}));
    for arguments in [json!([]), json!("x"), deep] {
        let refused = qmp.execute("x", arguments).await;
        assert!(
            matches!(refused, Err(Error::BadArguments { .. })),
            "{refused:?}"
        );
    }
    drop(qmp);
    let mut rest = Vec::new();
    qemu.0.into_inner().read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_qmp() {
    let (ours, mut theirs) = tokio::io::duplex(NARROW);
    let greeting = theirs.write_all(GREETING.as_bytes());
    let (qmp, _) = tokio::join!(Qmp::connect(ours), greeting);
    assert!(matches!(qmp, Err(Error::Protocol { .. })), "{qmp:?}");
}

#[tokio::test]
async fn the_last_handle_ends_events_too() {
    let (qmp, mut qemu) = connected().await;
    let mut events = qmp.events();
    drop(qmp);
    assert_eq!(qemu.0.read(&mut [0]).await.unwrap(), 0);
    assert!(matches!(
        events.next().await,
        Some(Err(Error::Closed { .. }))
    ));
}

/// Handles, streams and futures can be sent to other threads.
#[test]
fn handles_and_futures_are_send() {
    fn send<T: Send>(_: T) {}
    let _ = |qmp: Qmp, hmp: Hmp| {
        send(qmp.execute("x", Value::Null));
        send(hmp.command("x"));
        send(qmp.wait_for_event("x"));
        send(qmp.events());
        send(qmp.closed());
    };
}
