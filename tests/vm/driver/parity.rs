use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Ended, Run, run::seconds};

/// Longer than for other scripts: this one runs all operations.
const LIMIT: Duration = Duration::from_mins(30);
const LONGEST: Duration = Duration::from_mins(190);

const OPERATIONS: &str = include_str!("parity/operations.py");

/// Runs the same script with both drivers and compares what it prints. `VM_REFERENCE_DRIVER`
/// is the path of the reference driver's `machine.py`, which is not part of this repository.
fn compare_with_the_reference(image: &str) {
    let reference = env::var_os("VM_REFERENCE_DRIVER").map(PathBuf::from);
    let reference = reference.expect("VM_REFERENCE_DRIVER is the path of a machine.py");
    let run = Run::booting(&[("machine", image)]);
    let operations = run.script(OPERATIONS);
    let limit = seconds(LIMIT, LONGEST);
    let mut ours = run.command();
    ours.args(["--global-timeout", &limit]).arg(&operations);
    let ours = Ended::of(&mut ours).passed();

    let dir = |name: &str| {
        let dir = run.out().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    };
    let harness = dir("harness").join("reference.py");
    fs::write(&harness, include_str!("parity/reference.py")).unwrap();
    let mut python = Command::new("python3");
    python
        .arg(harness)
        .arg(reference)
        .arg(&run.start_scripts[0]);
    python.args([dir("out"), dir("tmp")]).arg(operations);
    assert_eq!(ours, Ended::of(&mut python).passed());
}

#[test]
#[ignore = "needs VM_REFERENCE_DRIVER"]
fn on_busybox() {
    compare_with_the_reference("minimal");
}

#[test]
#[ignore = "needs VM_REFERENCE_DRIVER"]
fn on_systemd() {
    compare_with_the_reference("systemd");
}
