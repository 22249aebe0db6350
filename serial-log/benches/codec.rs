//! Measures decoding of bytes to lines.

use std::fmt::Write as _;

use bytes::BytesMut;
use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use serial_log::{Event, LineCodec};
use tokio_util::codec::Decoder as _;

fn main() {
    divan::main();
}

const LINES: usize = 100_000;

/// Lines similar to a kernel's.
fn console() -> String {
    (0..LINES).fold(String::new(), |mut text, n| {
        let _ = write!(
            text,
            "[{n:>12}] systemd[1]: Reached target unit-{n}.target.\r\n"
        );
        text
    })
}

/// Decodes input in pieces of `piece` bytes.
#[divan::bench(args = [16, 4096, 65536])]
fn lines(bencher: Bencher<'_, '_>, piece: usize) {
    let text = console();
    bencher
        .counter(ItemsCount::new(LINES))
        .counter(BytesCount::of_str(&text))
        .bench(|| decode(text.as_bytes(), piece));
}

/// Decodes one line of ten megabytes in pieces of `piece` bytes.
#[divan::bench(args = [16, 4096, 65536])]
fn one_line_that_never_ends(bencher: Bencher<'_, '_>, piece: usize) {
    let text = "#".repeat(10_000_000);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| decode(text.as_bytes(), piece));
}

fn decode(bytes: &[u8], piece: usize) -> usize {
    let (mut codec, mut buffer, mut lines) = (LineCodec::new(), BytesMut::new(), 0);
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        while let Ok(Some(event)) = codec.decode(&mut buffer) {
            lines += usize::from(matches!(event, Event::Line(_)));
        }
    }
    lines
}
