//! Measures decoding of replies and messages.

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::BytesCount;
use qmp_mon::{HmpCodec, HmpCommand, QmpCodec};
use tokio_util::codec::{Decoder, Encoder as _};

fn main() {
    divan::main();
}

const HMP: &[u8] = include_bytes!("../tests/transcripts/hmp.raw");
const HMP_COMMANDS: &str = include_str!("../tests/transcripts/hmp.commands");
const QMP: &[u8] = include_bytes!("../tests/transcripts/qmp.raw");

/// Decodes a recorded session in pieces of `piece` bytes.
#[divan::bench(args = [1, 64, 4096])]
fn hmp_session(bencher: Bencher<'_, '_>, piece: usize) {
    bencher.counter(BytesCount::of_slice(HMP)).bench(|| {
        let mut codec = HmpCodec::new(1);
        for command in HMP_COMMANDS.lines() {
            let command = HmpCommand::new(command).expect("recorded commands are valid");
            codec
                .encode(command, &mut BytesMut::new())
                .expect("the codec never fails");
        }
        decode(codec, HMP, piece)
    });
}

/// Decodes a reply of ten megabytes, such as a memory dump, in pieces of `piece` bytes.
#[divan::bench(args = [64, 4096, 65536])]
fn hmp_long_reply(bencher: Bencher<'_, '_>, piece: usize) {
    let line = b"0000000000000000: 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00\r\n";
    let mut bytes = b"QEMU 7.2.22 monitor - type 'help' for more information\r\n".to_vec();
    bytes.extend(b"(qemu) x\x1b[K\r\n");
    bytes.extend(line.repeat(10_000_000 / line.len()));
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| {
        let mut codec = HmpCodec::new(1);
        let command = HmpCommand::new("x").expect("the command is valid");
        codec
            .encode(command, &mut BytesMut::new())
            .expect("the codec never fails");
        decode(codec, &bytes, piece)
    });
}

/// Decodes a recorded session a hundred times, in pieces of `piece` bytes.
#[divan::bench(args = [1, 64, 4096])]
fn qmp_session(bencher: Bencher<'_, '_>, piece: usize) {
    let bytes = QMP.repeat(100);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench(|| decode(QmpCodec::default(), &bytes, piece));
}

fn decode<C: Decoder<Error = std::io::Error>>(mut codec: C, bytes: &[u8], piece: usize) -> usize {
    let mut buffer = BytesMut::new();
    let mut events = 0;
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        while codec
            .decode(&mut buffer)
            .expect("the codec never fails")
            .is_some()
        {
            events += 1;
        }
    }
    events
}
