//! Any bytes as a picture.
//! `cargo +nightly fuzz run pictures` in `ocr/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::pictures(input));
