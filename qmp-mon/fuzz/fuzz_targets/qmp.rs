//! Any output of a QMP monitor, split anywhere.
//! `cargo +nightly fuzz run qmp` in `qmp-mon/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::qmp(input));
