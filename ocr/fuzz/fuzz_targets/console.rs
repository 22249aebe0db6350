//! Screens that a guest draws.
//! `cargo +nightly fuzz run console` in `ocr/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::console(input));
