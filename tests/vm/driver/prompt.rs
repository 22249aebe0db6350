use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::Run;

#[test]
fn lines_are_run_and_errors_survived() {
    let run = Run::new(&[("machine", "minimal")]);
    let mut driver = run
        .command()
        .arg("-I")
        .arg(run.script("print('the script', machine.name)"))
        .env("XDG_STATE_HOME", run.out())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"print(6 * 7)\nmachine.succeed('false')\nprint(machine.succeed('hostname'))\ntest_script()\n";
    driver.stdin.take().unwrap().write_all(lines).unwrap();
    let output = driver.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    for said in ["42\n", "machine\n", "the script machine\n"] {
        assert!(stdout.contains(said), "no {said:?} in {stdout:?}");
    }
    assert!(stderr.contains("machines: machine\n"), "{stderr}");
    assert!(
        stderr.contains("RequestedAssertionFailed: machine: "),
        "{stderr}"
    );
    assert!(!run.out().join("vm-state-machine").exists());
    let _ = fs::remove_dir_all(run.out().join("vmwright"));
}
