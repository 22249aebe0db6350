//! What several tests of the console need.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its share")]

use bytes::BytesMut;
use proptest::sample::Index;
use serial_log::{Event, LineCodec};
use tokio_util::codec::Decoder as _;

/// `bytes`, cut at the given places.
pub(crate) fn cut<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    let mut piece = |end| {
        let piece = &bytes[start..end];
        start = end;
        piece
    };
    ends.into_iter().map(&mut piece).collect()
}

/// Decodes what `buffer` holds, and hands on the lines.
pub(crate) fn drain(codec: &mut LineCodec, buffer: &mut BytesMut, mut line: impl FnMut(String)) {
    while let Some(event) = codec.decode(buffer).unwrap() {
        match event {
            Event::Line(text) => line(text),
            Event::Partial => assert!(!codec.partial().is_empty()),
        }
    }
}

/// The lines of the pieces, to the end.
pub(crate) fn lines<'a>(
    mut codec: LineCodec,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<String> {
    let (mut buffer, mut lines) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        drain(&mut codec, &mut buffer, |line| lines.push(line));
    }
    while let Some(event) = codec.decode_eof(&mut buffer).unwrap() {
        match event {
            Event::Line(line) => lines.push(line),
            Event::Partial => panic!("at its end a log has whole lines only"),
        }
    }
    lines
}

/// Lets the other tasks of a single-threaded runtime do all they can.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
