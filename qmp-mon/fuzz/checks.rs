//! Properties that hold for any input; checked by the fuzz targets and `tests/replay.rs`.
//! The first byte is the size of the pieces in which the rest is decoded.

#![allow(dead_code, reason = "not every target uses all checks")]

use std::{fmt::Debug, io};

use bytes::BytesMut;
use qmp_mon::{HmpCodec, HmpCommand, QmpCodec};
use tokio_util::codec::{Decoder, Encoder as _};

/// The commands of `tests/transcripts`, whose echoes and replies the input may contain.
const COMMANDS: &str = include_str!("../tests/transcripts/hmp.commands");

/// Any output of a human monitor, split anywhere.
///
/// # Panics
/// Panics if a property does not hold.
pub(crate) fn hmp(input: &[u8]) {
    let codec = || {
        let mut codec = HmpCodec::new(1).with_max_reply(200);
        for line in COMMANDS.lines() {
            let command = HmpCommand::new(line).expect("recorded commands are valid");
            codec
                .encode(command, &mut BytesMut::new())
                .expect("the codec never fails");
        }
        codec
    };
    any_split_gives_the_same_events(codec, input, 1024);
}

/// Any output of a QMP monitor, split anywhere.
///
/// # Panics
/// Panics if a property does not hold.
pub(crate) fn qmp(input: &[u8]) {
    any_split_gives_the_same_events(|| QmpCodec::default().with_max_line(400), input, 400);
}

/// At most `bound` bytes are buffered between two pieces.
fn any_split_gives_the_same_events<C>(codec: impl Fn() -> C, input: &[u8], bound: usize)
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
        assert!(buffer.len() <= bound, "buffers {} bytes", buffer.len());
    }
    events.extend(std::iter::from_fn(|| {
        codec.decode_eof(&mut buffer).expect("never fails")
    }));
    assert!(buffer.is_empty());
    events
}
