//! Output of QEMU 7.2, recorded with `examples/record.rs`.
//!
//! `hmp.raw` was recorded with the commands of `hmp.commands`; `qmp.raw` with
//! those named in the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod readline;

use bytes::BytesMut;
use qmp_mon::{ErrorClass, HmpCodec, HmpCommand, HmpEvent, QmpCodec, QmpMessage};
use readline::{GREETING, PROMPT, Readline, printed};
use serde_json::json;
use tokio_util::codec::{Decoder as _, Encoder as _};

const HMP: &[u8] = include_bytes!("transcripts/hmp.raw");
const QMP: &[u8] = include_bytes!("transcripts/qmp.raw");

fn commands() -> impl Iterator<Item = HmpCommand> {
    include_str!("transcripts/hmp.commands")
        .lines()
        .map(|line| HmpCommand::new(line).unwrap())
}

fn hmp() -> Vec<HmpEvent> {
    let mut codec = HmpCodec::new(1);
    for command in commands() {
        codec.encode(command, &mut BytesMut::new()).unwrap();
    }
    let mut bytes = BytesMut::from(HMP);
    std::iter::from_fn(|| codec.decode(&mut bytes).unwrap()).collect()
}

#[test]
fn hmp_session() {
    let mut events = hmp().into_iter();
    assert_eq!(
        events.next(),
        Some(HmpEvent::Greeting {
            version: "7.2.22".into()
        })
    );
    let mut reply = || match events.next() {
        Some(HmpEvent::Reply { text }) => text,
        other => panic!("a reply, not {other:?}"),
    };
    assert_eq!(reply(), "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3\n");
    assert_eq!(reply(), "VM status: paused (prelaunch)\n");
    let qtree = reply();
    assert!(
        qtree.starts_with("bus: main-system-bus\n  type System\n"),
        "{qtree}"
    );
    assert!(
        qtree.ends_with('\n') && qtree.lines().count() > 100,
        "{qtree}"
    );
    assert_eq!(reply(), "unknown command: 'no'\n");
    assert_eq!(reply(), "0x2\n");
    assert_eq!(reply(), "unknown command: 'echo'\n");
    assert!(reply().contains("\nsendkey keys [hold_ms] -- send keys to the VM"));
    assert_eq!(reply(), "", "to an empty line");
    assert_eq!(reply(), "0000000000000000: 0x00 0x00 0x00 0x00\n");
    assert_eq!(events.next(), Some(HmpEvent::PasswordPrompt));
    assert_eq!(
        events.next(),
        Some(HmpEvent::Reply {
            text: String::new()
        }),
        "to the password"
    );
    assert_eq!(
        events.next(),
        Some(HmpEvent::Reply {
            text: String::new()
        }),
        "to sendkey"
    );
    assert_eq!(events.next(), None);
}

/// Validates the peer used by the other tests.
#[test]
fn the_readline_of_the_tests_prints_the_same_as_qemu() {
    let mut codec = HmpCodec::new(1);
    let mut readline = Readline::default();
    let mut bytes = format!("{GREETING}{PROMPT}").into_bytes();
    for (command, event) in commands().zip(&hmp()[1..]) {
        let mut typed = BytesMut::new();
        codec.encode(command, &mut typed).unwrap();
        for byte in typed {
            let (echo, line) = readline.typed(byte);
            bytes.extend(echo);
            if line.is_some() {
                readline.reads_password = *event == HmpEvent::PasswordPrompt;
                bytes.extend(match event {
                    HmpEvent::Reply { text } => (printed(text) + PROMPT).into_bytes(),
                    _ => b"Password: ".to_vec(),
                });
            }
        }
    }
    assert_eq!(
        bytes.escape_ascii().to_string(),
        HMP.escape_ascii().to_string()
    );
}

#[test]
fn qmp_session() {
    let mut codec = QmpCodec::default();
    let mut bytes = BytesMut::from(QMP);
    let mut messages = std::iter::from_fn(|| codec.decode(&mut bytes).unwrap());

    let Some(QmpMessage::Greeting(greeting)) = messages.next() else {
        panic!("a greeting")
    };
    let version = greeting.version;
    assert_eq!((version.major, version.minor, version.micro), (7, 2, 22));
    assert_eq!(version.package, "Debian 1:7.2+dfsg-7+deb12u18+b3");
    assert_eq!(greeting.capabilities, ["oob"]);

    let seen: Vec<_> = messages.map(summary).collect();
    let block = seen[2].clone();
    assert!(block.starts_with(r#"2: [{"device":"ide1-cd0""#), "{block}");
    assert_eq!(
        seen,
        [
            "0: {}", // qmp_capabilities
            // query-version, query-block, no-such-command, device_del {"id":"nope"}
            r#"1: {"package":"Debian 1:7.2+dfsg-7+deb12u18+b3","qemu":{"major":7,"micro":22,"minor":2}}"#,
            &block,
            "3: CommandNotFound: The command no-such-command has not been found",
            "4: DeviceNotFound: Device 'nope' not found",
            "RESUME null", // cont
            "5: {}",
            "STOP null", // stop
            "6: {}",
            r#"7: "VM status: paused\r\n""#, // human-monitor-command {"command-line":"info status"}
            "8: GenericError: Invalid parameter type for 'filename', expected: string",
            r#"SHUTDOWN {"guest":false,"reason":"host-qmp-quit"}"#, // quit
            "9: {}",
        ]
    );
}

fn summary(message: QmpMessage) -> String {
    match message {
        QmpMessage::Return { id, value } => format!("{id}: {value}"),
        QmpMessage::Error {
            id: Some(id),
            class,
            desc,
        } => {
            assert!(!matches!(class, ErrorClass::Other(_)), "{class}");
            format!("{id}: {class}: {desc}")
        }
        QmpMessage::Event(event) => {
            assert!(
                event
                    .timestamp
                    .is_some_and(|time| time.as_secs() > 1_700_000_000)
            );
            format!("{} {}", event.name, json!(event.data))
        }
        other => panic!("{other:?}"),
    }
}
