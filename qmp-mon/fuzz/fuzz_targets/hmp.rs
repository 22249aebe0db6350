//! Whatever a human monitor says, cut anywhere: no panic.
//! `cargo +nightly fuzz run hmp` in `qmp-mon/`.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use qmp_mon::hmp::{Fence, HmpCodec, HmpCommand};
use tokio_util::codec::{Decoder as _, Encoder as _};

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let mut codec = HmpCodec::default();
    for fence in 0..4 {
        let command = HmpCommand { line: "info", fence: Fence(fence) };
        codec.encode(command, &mut BytesMut::new()).expect("a valid command");
    }
    let mut buffer = BytesMut::from("QEMU monitor\r\n(qemu) ");
    for piece in pieces {
        buffer.extend_from_slice(&piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
