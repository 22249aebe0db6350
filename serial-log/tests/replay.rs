//! Runs the fuzz targets' checks on `fuzz/corpus`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "shows which input fails")]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::fs;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(&corpus).unwrap();
    let inputs: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{corpus} is empty");
    for input in inputs {
        println!("{}", input.display());
        check(&fs::read(input).unwrap());
    }
}

#[test]
fn lines() {
    replay("lines", checks::lines);
}

#[test]
fn waits() {
    replay("waits", checks::waits);
}

#[test]
fn screens() {
    replay("screens", checks::screens);
}
