//! Whatever a guest sends, cut anywhere: no panic, bounded memory.
//! `cargo +nightly fuzz run codec` in `backdoor-shell/`.

#![no_main]

use backdoor_shell::ShellCodec;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder as _;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let mut codec = ShellCodec::default();
    let mut buffer = BytesMut::new();
    for piece in pieces {
        buffer.extend_from_slice(&piece);
        while codec.decode(&mut buffer).expect("garbage is an event").is_some() {}
        assert!(buffer.len() <= 4096, "keeps {} bytes", buffer.len());
    }
    while codec.decode_eof(&mut buffer).expect("garbage is an event").is_some() {}
    assert!(buffer.is_empty());
});
