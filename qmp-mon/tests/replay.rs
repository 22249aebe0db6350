//! What fuzzing has come upon, in `fuzz/corpus`, does no harm again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "it is shown which input fails")]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::fs;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(&corpus).unwrap();
    let inputs: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "nothing in {corpus}");
    for input in inputs {
        println!("{}", input.display());
        check(&fs::read(input).unwrap());
    }
}

#[test]
fn hmp() {
    replay("hmp", checks::hmp);
}

#[test]
fn qmp() {
    replay("qmp", checks::qmp);
}
