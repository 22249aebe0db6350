//! Any output of a human monitor, split anywhere.
//! `cargo +nightly fuzz run hmp` in `qmp-mon/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::hmp(input));
