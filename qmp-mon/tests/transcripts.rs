//! What QEMU 7.2 really said, recorded from its sockets.

use bytes::BytesMut;
use qmp_mon::hmp::{Fence, HmpCodec, HmpCommand, HmpEvent};
use qmp_mon::qmp::{Message, QmpCodec};
use serde_json::json;
use tokio_util::codec::{Decoder as _, Encoder as _};

/// The commands whose fences were 1, 2, ….
const HMP_COMMANDS: [&str; 8] = [
    "info version",
    "info status",
    "info qtree",
    "no such command",
    "print 1+1",
    "help",
    "x /4xb 0",
    "",
];

fn hmp_events(chunk: usize) -> Vec<HmpEvent> {
    let mut codec = HmpCodec::default();
    for (line, fence) in HMP_COMMANDS.into_iter().zip(1..) {
        let command = HmpCommand {
            line,
            fence: Fence(fence),
        };
        codec
            .encode(command, &mut BytesMut::new())
            .expect("a valid command");
    }
    let mut buffer = BytesMut::new();
    let mut events = Vec::new();
    for piece in include_bytes!("transcripts/hmp.raw").chunks(chunk) {
        buffer.extend_from_slice(piece);
        while let Some(event) = codec.decode(&mut buffer).expect("a valid transcript") {
            events.push(event);
        }
    }
    assert!(buffer.is_empty(), "{buffer:?}");
    events
}

fn reply(events: &[HmpEvent], number: u32) -> &str {
    match &events[number as usize] {
        HmpEvent::Reply { fence, text } if *fence == Fence(number) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hmp() {
    let events = hmp_events(usize::MAX);
    assert_eq!(events.len(), 1 + HMP_COMMANDS.len());
    let greeting = "QEMU 7.2.22 monitor - type 'help' for more information";
    assert_eq!(events[0], HmpEvent::Greeting(greeting.to_owned()));
    assert_eq!(reply(&events, 1), "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3\n");
    assert_eq!(reply(&events, 2), "VM status: paused (prelaunch)\n");
    assert!(reply(&events, 3).starts_with("bus: main-system-bus\n  type System\n"));
    assert!(reply(&events, 3).lines().count() > 100);
    assert_eq!(reply(&events, 4), "unknown command: 'no'\n");
    assert_eq!(reply(&events, 5), "0x2\n");
    assert!(reply(&events, 6).contains("\ninfo [subcommand] -- show various information"));
    assert_eq!(reply(&events, 7), "0000000000000000: 0x00 0x00 0x00 0x00\n");
    assert_eq!(reply(&events, 8), "");
}

#[test]
fn hmp_however_it_is_cut() {
    let whole = hmp_events(usize::MAX);
    for chunk in [1, 2, 7, 100, 4096] {
        assert_eq!(hmp_events(chunk), whole, "in pieces of {chunk}");
    }
}

#[test]
fn qmp() {
    let mut codec = QmpCodec::default();
    let mut buffer = BytesMut::from(&include_bytes!("transcripts/qmp.raw")[..]);
    let mut messages = Vec::new();
    while let Some(message) = codec.decode(&mut buffer).expect("a valid transcript") {
        messages.push(message);
    }
    let names: Vec<String> = messages.iter().map(describe).collect();
    assert_eq!(
        names,
        [
            "greeting [\"oob\"]",
            "0: {}",
            "2: {\"running\":false,\"singlestep\":false,\"status\":\"prelaunch\"}",
            "3 failed: CommandNotFound: The command bogus has not been found",
            "4 failed: DeviceNotFound: Device 'nope' not found",
            "event RESUME",
            "5: {}",
            "event STOP",
            "6: {}",
            "7: \"VM status: paused\\r\\n\"",
        ]
    );
    let Message::Greeting(greeting) = &messages[0] else {
        panic!("{messages:?}")
    };
    assert_eq!(
        greeting.version["qemu"],
        json!({ "major": 7, "minor": 2, "micro": 22 })
    );
}

fn describe(message: &Message) -> String {
    match message {
        Message::Greeting(greeting) => format!("greeting {:?}", greeting.capabilities),
        Message::Return { id, value } => format!("{}: {value}", id.unwrap_or(u64::MAX)),
        Message::Error { id, class, desc } => {
            format!("{} failed: {class}: {desc}", id.unwrap_or(u64::MAX))
        }
        Message::Event(event) => {
            assert!(event.timestamp.system_time().is_some());
            format!("event {}", event.name)
        }
    }
}
