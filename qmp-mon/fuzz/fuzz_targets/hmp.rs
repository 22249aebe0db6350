//! Whatever a human monitor says, cut anywhere.
//! `cargo +nightly fuzz run hmp` in `qmp-mon/`.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use qmp_mon::{HmpCodec, HmpCommand};
use tokio_util::codec::Encoder as _;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let codec = || {
        let mut codec = HmpCodec::new(1).with_max_reply(64);
        for line in ["a", "", "info status"] {
            let command = HmpCommand::new(line).expect("it is plain");
            codec
                .encode(command, &mut BytesMut::new())
                .expect("it never fails");
        }
        codec
    };
    pieces::check(codec, &pieces, 1024);
});
