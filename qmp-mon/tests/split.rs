//! Any cut of the bytes gives the same events, and garbage does no harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::BytesMut;
use proptest::prelude::*;
use qmp_mon::hmp::{Fence, HmpCodec, HmpCommand, HmpEvent};
use qmp_mon::qmp::{Message, QmpCodec};
use tokio_util::codec::{Decoder, Encoder as _};

fn decode<D: Decoder>(codec: &mut D, pieces: &[&[u8]]) -> Vec<D::Item> {
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Ok(Some(item)) = codec.decode(&mut buffer) {
            items.push(item);
        }
    }
    items
}

fn hmp(pieces: &[&[u8]], commands: &[String]) -> Vec<HmpEvent> {
    let mut codec = HmpCodec::default();
    for (line, fence) in commands.iter().zip(1..) {
        let command = HmpCommand {
            line,
            fence: Fence(fence),
        };
        codec.encode(command, &mut BytesMut::new()).unwrap();
    }
    decode(&mut codec, pieces)
}

fn qmp(pieces: &[&[u8]]) -> Vec<Message> {
    decode(&mut QmpCodec::default(), pieces)
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    places
        .into_iter()
        .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
        .collect()
}

fn echo(line: &str) -> String {
    let typed = (1..=line.len())
        .map(|typed| format!("{}{}\x1b[K", "\x1b[D".repeat(typed - 1), &line[..typed]));
    typed.collect::<String>() + "\r\n"
}

/// Lines of a reply, prompts among them.
fn reply() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[ -~]{0,20}\r\n",
        Just("(qemu) \r\n".to_owned()),
        Just("(qemu) ".to_owned()),
        Just("(qemu) #00000001\r\n".to_owned()),
    ];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn hmp_replies_survive_any_cut(
        exchanges in prop::collection::vec(("[a-z (]{1,12}", reply()), 0..4),
        cuts: Vec<prop::sample::Index>,
    ) {
        let mut bytes = "QEMU monitor\r\n(qemu) ".to_owned();
        let mut expected = vec![HmpEvent::Greeting("QEMU monitor".to_owned())];
        for ((command, reply), fence) in exchanges.iter().zip(1..) {
            let line = format!("#{fence:08x}");
            let fenced = format!("{}unknown command: '{line}'\r\n(qemu) ", echo(&line));
            bytes = [bytes, echo(command), format!("{reply}(qemu) "), fenced].concat();
            let text = reply.replace("\r\n", "\n");
            expected.push(HmpEvent::Reply { fence: Fence(fence), text });
        }
        let commands: Vec<String> = exchanges.into_iter().map(|(command, _)| command).collect();
        let bytes = bytes.as_bytes();
        prop_assert_eq!(&hmp(&cut(bytes, &cuts), &commands), &expected);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&hmp(&bytewise, &commands), &expected);
    }

    #[test]
    fn qmp_messages_survive_any_cut(
        names in prop::collection::vec("[A-Z_]{1,12}", 0..6),
        cuts: Vec<prop::sample::Index>,
    ) {
        let lines = names.iter().map(|name| {
            format!("{{\"event\":\"{name}\",\"timestamp\":{{\"seconds\":1,\"microseconds\":0}}}}\r\n")
        });
        let bytes = lines.collect::<String>();
        let events = qmp(&cut(bytes.as_bytes(), &cuts));
        prop_assert_eq!(&events, &qmp(&[bytes.as_bytes()]));
        prop_assert_eq!(events.len(), names.len());
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, cuts: Vec<prop::sample::Index>) {
        let greeting: &[u8] = b"QEMU monitor\r\n(qemu) ";
        let bytes = [greeting, &bytes].concat();
        hmp(&cut(&bytes, &cuts), &["info".to_owned()]);
        qmp(&cut(&bytes, &cuts));
    }
}
