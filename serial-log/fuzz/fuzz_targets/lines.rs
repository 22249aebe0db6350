//! Any bytes, cut anywhere, give the same lines, none of them too long.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use serial_log::{Event, LineCodec};
use tokio_util::codec::Decoder as _;

const MAX_LINE: usize = 16;

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, piece) = input;
    let whole = lines([&bytes[..]]);
    assert_eq!(lines(bytes.chunks(usize::from(piece).max(1))), whole);
    assert!(whole.iter().all(|line| line.len() <= MAX_LINE && !line.contains(['\r', '\n'])));
});

fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut codec = LineCodec::with_max_line(MAX_LINE);
    let (mut buffer, mut lines) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(event) = codec.decode(&mut buffer).unwrap() {
            lines.extend(line(event));
        }
        assert!(buffer.len() <= 3);
    }
    while let Some(event) = codec.decode_eof(&mut buffer).unwrap() {
        lines.extend(line(event));
    }
    lines
}

fn line(event: Event) -> Option<String> {
    match event {
        Event::Line(line) => Some(line),
        Event::Partial => None,
    }
}
