//! Recorded output of a real guest's virtio console (busybox and bash).

use std::collections::BTreeMap;

use backdoor_shell::{Event, GREETING, Nonce, ShellCodec};
use bytes::BytesMut;
use tokio_util::codec::Decoder as _;

/// The commands with nonces 1, 2, …, and their results.
fn expected() -> Vec<(&'static str, i32, Vec<u8>)> {
    let count: String = (1..=500).map(|number| format!("{number}\n")).collect();
    vec![
        ("true", 0, b"".to_vec()),
        ("false", 1, b"".to_vec()),
        ("echo hello", 0, b"hello\n".to_vec()),
        (r#"printf "a\0b\377""#, 0, b"a\0b\xff".to_vec()),
        ("seq 1 500", 0, count.into_bytes()),
        ("cat; exit 7", 7, b"".to_vec()),
        (
            r#"printf "tab\t back\\slash\n""#,
            0,
            b"tab\t back\\slash\n".to_vec(),
        ),
        (
            r#"echo "Grüße aus dem Gast""#,
            0,
            "Grüße aus dem Gast\n".into(),
        ),
        // Stopped after a second, by SIGTERM.
        ("echo before; sleep 100", 143, b"before\n".to_vec()),
    ]
}

#[test]
fn a_guests_session_however_it_is_split() {
    for chunk in [1, 2, 7, 100, usize::MAX] {
        let mut codec = ShellCodec::default();
        let mut buffer = BytesMut::new();
        let mut other_lines = Vec::new();
        let mut outputs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for piece in include_bytes!("transcripts/minimal.raw").chunks(chunk) {
            buffer.extend_from_slice(piece);
            while let Ok(Some(event)) = codec.decode(&mut buffer) {
                match event {
                    Event::OtherLine(line) => other_lines.push(line),
                    Event::Output(nonce, bytes) => {
                        outputs.entry(nonce.to_string()).or_default().extend(bytes);
                    }
                    Event::End {
                        nonce,
                        status,
                        encoder: 0,
                    } => {
                        ends.insert(nonce.to_string(), status);
                    }
                    Event::Ready(nonce) => assert_eq!(nonce, Nonce::from(0)),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(other_lines, ["Connected to the guest minimal.", GREETING]);
        for ((command, status, stdout), number) in expected().into_iter().zip(1..) {
            let nonce = Nonce::from(number).to_string();
            assert_eq!(
                ends.remove(&nonce),
                Some(status),
                "{command}, in pieces of {chunk}"
            );
            let output = outputs.remove(&nonce).unwrap_or_default();
            assert_eq!(output, stdout, "{command}, in pieces of {chunk}");
        }
        assert!(ends.is_empty() && outputs.is_empty(), "unexpected results");
    }
}
