//! Any bytes as a font.
//! `cargo +nightly fuzz run fonts` in `ocr/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::fonts(input));
