//! How fast monitors' output is decoded. `cargo bench -p qmp-mon`

use bytes::BytesMut;
use divan::counter::BytesCount;
use qmp_mon::hmp::{Fence, HmpCodec, HmpCommand};
use qmp_mon::qmp::QmpCodec;
use tokio_util::codec::{Decoder, Encoder as _};

fn main() {
    divan::main();
}

/// A recorded session of eight commands, some with long replies.
#[divan::bench]
fn hmp_session(bencher: divan::Bencher<'_, '_>) {
    let session = include_bytes!("../tests/transcripts/hmp.raw");
    bencher
        .counter(BytesCount::of_slice(session))
        .bench_local(|| {
            let mut codec = HmpCodec::default();
            for fence in 1..=8 {
                let command = HmpCommand {
                    line: "",
                    fence: Fence(fence),
                };
                let _ = codec.encode(command, &mut BytesMut::new());
            }
            decode(codec, session)
        });
}

#[divan::bench]
fn qmp_events(bencher: divan::Bencher<'_, '_>) {
    let event = r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
    let stream = format!("{event}\r\n").repeat(10_000);
    bencher
        .counter(BytesCount::of_str(&stream))
        .bench_local(|| decode(QmpCodec::default(), stream.as_bytes()));
}

fn decode(mut codec: impl Decoder, stream: &[u8]) -> usize {
    let mut buffer = BytesMut::new();
    let mut items = 0;
    for read in stream.chunks(8192) {
        buffer.extend_from_slice(read);
        while let Ok(Some(_)) = codec.decode(&mut buffer) {
            items += 1;
        }
    }
    items
}
