//! The events do not depend on how the bytes are split.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use backdoor_shell::{Event, Nonce, Request, ShellCodec};
use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::{Decoder as _, Encoder as _};

/// The nonce of most frames in parts.
const THEIRS: u64 = 0x0123_4567_89ab_cdef;
/// The nonce of an answer that must not depend on them.
const MINE: u64 = 0xfeed;

/// All events of `pieces` while a script runs. Adjacent outputs of a command are joined, and
/// dropped before `Damaged`: how much was decoded before depends on the split.
fn events<'a>(running: u64, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut codec = ShellCodec::default();
    let run = Request::Run {
        session: Nonce::from(0),
        nonce: Nonce::from(running),
        script: "",
    };
    codec.encode(run, &mut BytesMut::new()).unwrap();
    let mut buffer = BytesMut::new();
    let mut events = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(event) = codec.decode(&mut buffer).unwrap() {
            push(&mut events, event);
        }
        assert!(buffer.len() <= 4096, "{} bytes are buffered", buffer.len());
    }
    while let Some(event) = codec.decode_eof(&mut buffer).unwrap() {
        push(&mut events, event);
    }
    events
}

fn push(events: &mut Vec<Event>, event: Event) {
    if let (Some(Event::Output(last, before)), Event::Output(nonce, bytes)) =
        (events.last_mut(), &event)
        && last == nonce
    {
        *before = [&before[..], &bytes[..]].concat().into();
        return;
    }
    if let (Some(Event::Output(last, _)), Event::Damaged(nonce)) = (events.last(), &event)
        && last == nonce
    {
        events.pop();
    }
    events.push(event);
}

/// A part of a stream: frames, and other output between them.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let frame = prop_oneof![
        Just("\n@r 0123456789abcdef\n".to_owned()),
        "[ -\\[\\]-~]{0,40}".prop_map(|text| format!("\n@t 0123456789abcdef {text}\\n\\\\")),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("\n@b 0123456789abcdef {encoded}")
        }),
        Just("\n@c 0123456789abcdef\n".to_owned()),
        any::<(i32, i32)>().prop_map(|(a, b)| format!("\r\n@e 0123456789abcdef {a} {b}\n")),
        Just("\n@t fedcba9876543210 another command's\n".to_owned()),
        Just("\n@b 0123456789abcdef AA=A\n".to_owned()),
        Just("\r\n@e 0123456789abcdef 1".to_owned()),
        "[0-9a-f]{16}".prop_map(|nonce| format!("\n@e {nonce} {:040} {:07}\n", 0, 7)),
    ];
    prop_oneof![
        4 => frame.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..50),
        1 => (4000usize..9000).prop_map(|length| vec![b'n'; length]),
    ]
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

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        parts in prop::collection::vec(part(), 0..12),
        cuts: Vec<prop::sample::Index>,
    ) {
        let bytes = parts.concat();
        let whole = events(THEIRS, [&bytes[..]]);
        prop_assert_eq!(&events(THEIRS, cut(&bytes, &cuts)), &whole);
        prop_assert_eq!(&events(THEIRS, bytes.chunks(1)), &whole);
    }

    /// An answer does not depend on noise, truncation and late output before it.
    #[test]
    fn an_answer_survives_what_came_before(parts in prop::collection::vec(part(), 0..12)) {
        let mine = Nonce::from(MINE);
        let answer = format!("\n@t {mine} right\\n\n@e {mine} 3 0\n");
        let mut bytes = parts.concat();
        bytes.extend_from_slice(answer.as_bytes());
        let mine_only: Vec<Event> = events(MINE, [&bytes[..]])
            .into_iter()
            .filter(|event| match event {
                Event::Output(nonce, _)
                | Event::Ready(nonce)
                | Event::Damaged(nonce)
                | Event::End { nonce, .. } => *nonce == mine,
                _ => false,
            })
            .collect();
        prop_assert_eq!(mine_only, vec![
            Event::Output(mine, "right\n".into()),
            Event::End { nonce: mine, status: 3, encoder: 0 },
        ]);
    }

    /// Unencoded output arrives unchanged, whatever it contains.
    #[test]
    fn unencoded_output_arrives_unchanged(
        parts in prop::collection::vec(part(), 0..12),
        cuts: Vec<prop::sample::Index>,
    ) {
        let mine = Nonce::from(MINE);
        let printed = parts.concat();
        let begin = format!("\n@c {mine}\n").into_bytes();
        let bytes = [&begin[..], &printed, format!("\r\n@e {mine} 3 0\n").as_bytes()].concat();
        let mut expected = vec![Event::End { nonce: mine, status: 3, encoder: 0 }];
        if !printed.is_empty() {
            expected.insert(0, Event::Output(mine, printed.into()));
        }
        prop_assert_eq!(events(MINE, cut(&bytes, &cuts)), expected);
    }
}
