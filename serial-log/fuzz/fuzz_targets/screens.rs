//! Any console output, split anywhere.
//! `cargo +nightly fuzz run screens` in `serial-log/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::screens(input));
