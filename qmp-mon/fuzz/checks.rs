//! What is fuzzed, and what `tests/replay.rs` replays: what must hold of any input.
//! Its first byte says how long the pieces are in which the rest comes from QEMU.

#![allow(dead_code, reason = "each target has its own")]

use std::{fmt::Debug, io};

use bytes::BytesMut;
use qmp_mon::{HmpCodec, HmpCommand, QmpCodec};
use tokio_util::codec::{Decoder, Encoder as _};

/// The commands of `tests/transcripts`, whose echoes and replies may come.
const COMMANDS: &str = include_str!("../tests/transcripts/hmp.commands");

/// Whatever a human monitor says, cut anywhere.
///
/// # Panics
/// If it does not hold.
pub(crate) fn hmp(input: &[u8]) {
    let codec = || {
        let mut codec = HmpCodec::new(1).with_max_reply(200);
        for line in COMMANDS.lines() {
            let command = HmpCommand::new(line).expect("it is plain");
            codec
                .encode(command, &mut BytesMut::new())
                .expect("it never fails");
        }
        codec
    };
    any_cut_gives_the_same(codec, input, 1024);
}

/// Whatever a QMP monitor says, cut anywhere.
///
/// # Panics
/// If it does not hold.
pub(crate) fn qmp(input: &[u8]) {
    any_cut_gives_the_same(|| QmpCodec::default().with_max_line(400), input, 400);
}

/// No more than `bound` bytes are kept between two pieces.
fn any_cut_gives_the_same<C>(codec: impl Fn() -> C, input: &[u8], bound: usize)
where
    C: Decoder<Item: Debug + PartialEq, Error = io::Error>,
{
    let Some((&piece, bytes)) = input.split_first() else {
        return;
    };
    let events = |length: usize| events(codec(), bytes.chunks(length.max(1)), bound);
    let whole = events(bytes.len());
    assert_eq!(events(piece.into()), whole);
    assert_eq!(events(1), whole);
}

fn events<'a, C: Decoder<Error = io::Error>>(
    mut codec: C,
    pieces: impl Iterator<Item = &'a [u8]>,
    bound: usize,
) -> Vec<C::Item> {
    let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        events.extend(std::iter::from_fn(|| {
            codec.decode(&mut buffer).expect("never fails")
        }));
        assert!(buffer.len() <= bound, "keeps {} bytes", buffer.len());
    }
    events.extend(std::iter::from_fn(|| {
        codec.decode_eof(&mut buffer).expect("never fails")
    }));
    assert!(buffer.is_empty());
    events
}
