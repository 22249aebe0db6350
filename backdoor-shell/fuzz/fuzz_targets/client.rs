//! Arbitrary answers of a guest to a shell's requests.
//! `cargo +nightly fuzz run client` in `backdoor-shell/`.

#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::client(input));
