//! Whatever QMP says, cut anywhere: the same messages, and no panic.
//! `cargo +nightly fuzz run qmp` in `qmp-mon/`.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use qmp_mon::qmp::{Message, QmpCodec};
use tokio_util::codec::Decoder as _;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let whole = pieces.concat();
    assert_eq!(messages(pieces.iter().map(Vec::as_slice)), messages([&whole[..]]));
});

fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Message> {
    let mut codec = QmpCodec::default();
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Ok(Some(message)) = codec.decode(&mut buffer) {
            messages.push(message);
        }
    }
    messages
}
