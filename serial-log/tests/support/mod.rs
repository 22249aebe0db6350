//! Shared helpers of the tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "not every test binary uses all helpers")]

use bytes::BytesMut;
use proptest::sample::Index;
use serial_log::{Event, LineCodec};
use tokio_util::codec::Decoder as _;

/// Splits `bytes` at the given indices.
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

/// Decodes `buffer` and passes the lines to `line`.
pub(crate) fn drain(codec: &mut LineCodec, buffer: &mut BytesMut, mut line: impl FnMut(String)) {
    while let Some(event) = codec.decode(buffer).unwrap() {
        match event {
            Event::Line(text) | Event::Piece(text) => line(text),
            _ => assert!(!codec.partial().is_empty()),
        }
    }
}

/// Decodes the pieces to lines, including an unfinished last line.
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
            Event::Line(line) | Event::Piece(line) => lines.push(line),
            _ => panic!("only lines are expected at the end of the stream"),
        }
    }
    lines
}

/// Lets the other tasks of a single-threaded runtime run until they block.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
