//! Whatever a QMP monitor says, cut anywhere.
//! `cargo +nightly fuzz run qmp` in `qmp-mon/`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qmp_mon::QmpCodec;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    pieces::check(|| QmpCodec::default().with_max_line(64), &pieces, 64);
});
