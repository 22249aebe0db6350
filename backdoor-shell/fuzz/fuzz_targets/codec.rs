//! Arbitrary input from a guest, split anywhere.
//! `cargo +nightly fuzz run codec` in `backdoor-shell/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::codec(input));
