//! Events do not depend on how the bytes are split into reads, buffers are
//! bounded, and replies are exact whatever they contain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod readline;

use std::io;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use qmp_mon::{HmpCodec, HmpCommand, HmpEvent, QmpCodec};
use readline::{GREETING, PROMPT, Readline, printed};
use tokio_util::codec::{Decoder, Encoder as _};

/// Decodes `bytes` in pieces. Returns the events, and the maximum number of bytes
/// buffered between two pieces.
fn events<C>(mut codec: C, bytes: &[u8], pieces: &[usize]) -> (Vec<C::Item>, usize)
where
    C: Decoder<Error = io::Error>,
{
    let (mut events, mut buffered, mut rest) = (Vec::new(), 0, bytes);
    let mut buffer = BytesMut::new();
    for &piece in pieces.iter().chain([&usize::MAX]) {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        buffer.extend_from_slice(now);
        rest = later;
        events.extend(std::iter::from_fn(|| codec.decode(&mut buffer).unwrap()));
        buffered = buffered.max(buffer.len());
    }
    events.extend(std::iter::from_fn(|| {
        codec.decode_eof(&mut buffer).unwrap()
    }));
    assert!(buffer.is_empty());
    (events, buffered)
}

/// Returns a codec, and QEMU's output for these commands and replies.
fn session(exchanges: &[(String, String)]) -> (HmpCodec, Vec<u8>) {
    let mut codec = HmpCodec::new(1);
    let mut readline = Readline::default();
    let mut output = format!("{GREETING}{PROMPT}").into_bytes();
    for (command, reply) in exchanges {
        let mut typed = BytesMut::new();
        codec
            .encode(HmpCommand::new(command).unwrap(), &mut typed)
            .unwrap();
        for byte in typed {
            let (echo, line) = readline.typed(byte);
            output.extend(echo);
            if line.is_some() {
                output.extend((printed(reply) + PROMPT).into_bytes());
            }
        }
    }
    (codec, output)
}

/// Commands that are hard to distinguish from their own redrawing.
fn command() -> impl Strategy<Value = String> {
    const AWKWARD: &[&str] = &[
        "",
        " ",
        "a",
        "aa",
        "aaaa",
        "(qemu) ",
        "[D",
        "info status",
        "ü",
    ];
    prop_oneof![
        prop::sample::select(AWKWARD).prop_map(String::from),
        "[ -~]{0,40}".boxed(),
    ]
}

/// Replies that contain parts of their end markers.
fn reply() -> impl Strategy<Value = String> {
    const BAIT: &[&str] = &[
        "(qemu) ",
        "(qemu) a\x1b[K",
        "\x1b[D",
        "\x1b[K",
        "\n",
        "\r",
        "\r\n",
        "Password: ",
        "*",
        " ",
        "(qemu",
        "VM status: running\n",
        "é",
        "\u{10ffff}",
    ];
    vec(
        prop_oneof![
            prop::sample::select(BAIT).prop_map(String::from),
            "\\PC{0,8}".boxed(),
        ],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![Just(1_usize), 0..40_usize], 0..400)
}

proptest! {
    #[test]
    fn hmp_replies_are_exact(
        exchanges in vec((command(), reply()), 0..4),
        pieces in pieces(),
    ) {
        let (codec, output) = session(&exchanges);
        let mut expected = vec![HmpEvent::Greeting { version: "7.2.22".into() }];
        expected.extend(exchanges.into_iter().map(|(_, text)| HmpEvent::Reply { text }));
        prop_assert_eq!(events(codec, &output, &pieces).0, expected);
    }

    #[test]
    fn truncated_hmp_gives_a_prefix_of_the_events(
        exchanges in vec((command(), reply()), 1..3),
        at in any::<prop::sample::Index>(),
        pieces in pieces(),
    ) {
        let (codec, output) = session(&exchanges);
        let whole = events(codec, &output, &[]).0;
        let (codec, _) = session(&exchanges);
        let mut cut = events(codec, &output[..at.index(output.len())], &pieces).0;
        let last = cut.pop();
        prop_assert!(matches!(last, Some(HmpEvent::Cut { .. })), "{:?}", last);
        prop_assert!(whole.starts_with(&cut));
    }

    #[test]
    fn any_hmp_input_gives_the_same_events_in_pieces(
        noise in vec(prop_oneof![any::<u8>(), prop::sample::select(&b"(qemu) \x1b[KD\r\na"[..])], 0..3000),
        greeted in any::<bool>(),
        pieces in pieces(),
    ) {
        let exchanges = [("a".into(), String::new()), (String::new(), "x".repeat(90))];
        let (_, mut output) = session(&exchanges);
        if greeted {
            output.splice(GREETING.len() + PROMPT.len().., noise);
        } else {
            output = noise;
        }
        let codec = || session(&exchanges).0.with_max_reply(50);
        let (in_pieces, buffered) = events(codec(), &output, &pieces);
        prop_assert_eq!(in_pieces, events(codec(), &output, &[]).0);
        prop_assert!(buffered <= 1024, "buffered {buffered}");
    }

    #[test]
    fn an_overlong_hmp_reply_is_discarded(
        length in 0..400_usize,
        pieces in pieces(),
    ) {
        let exchanges = [("a".into(), "x".repeat(length)), ("b".into(), "short".into())];
        let (codec, output) = session(&exchanges);
        let (events, buffered) = events(codec.with_max_reply(100), &output, &pieces);
        prop_assert_eq!(events[1] == HmpEvent::ReplyTooLong, length > 100);
        prop_assert_eq!(&events[2..], &[HmpEvent::Reply { text: "short".into() }]);
        prop_assert!(buffered <= 400, "buffered {buffered}");
    }

    #[test]
    fn any_qmp_input_gives_the_same_messages_in_pieces(
        lines in vec(prop_oneof![
            r#"\{"return": \{"x": "[a-z\\PC]{0,60}"\}, "id": [0-9]{1,3}\}"#,
            r#"\{"event": "[A-Z]{0,60}", "timestamp": \{"seconds": 1, "microseconds": 2\}\}"#,
            r"\PC{0,90}",
        ], 0..12),
        end in prop::sample::select(&["\n", "\r\n", "\r\n\r\n"][..]),
        pieces in pieces(),
    ) {
        let output = lines.iter().flat_map(|line| [line, end]).collect::<String>();
        let codec = || QmpCodec::default().with_max_line(80);
        let (in_pieces, buffered) = events(codec(), output.as_bytes(), &pieces);
        prop_assert_eq!(in_pieces, events(codec(), output.as_bytes(), &[]).0);
        prop_assert!(buffered <= 80, "buffered {buffered}");
    }
}

#[test]
fn recorded_sessions_byte_by_byte() {
    let bytes = include_bytes!("transcripts/hmp.raw");
    let codec = || {
        let mut codec = HmpCodec::new(1);
        for line in include_str!("transcripts/hmp.commands").lines() {
            codec
                .encode(HmpCommand::new(line).unwrap(), &mut BytesMut::new())
                .unwrap();
        }
        codec
    };
    assert_eq!(
        events(codec(), bytes, &vec![1; bytes.len()]).0,
        events(codec(), bytes, &[]).0
    );

    let bytes = include_bytes!("transcripts/qmp.raw");
    let codec = QmpCodec::default;
    assert_eq!(
        events(codec(), bytes, &vec![1; bytes.len()]).0,
        events(codec(), bytes, &[]).0
    );
}
