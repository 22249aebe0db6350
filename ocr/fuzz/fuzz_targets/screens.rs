//! Screens that a guest draws, with any text on them.
//! `cargo +nightly fuzz run screens` in `ocr/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::screens(input));
