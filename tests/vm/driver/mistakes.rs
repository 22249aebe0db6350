use std::fs;

use super::{Ended, Run};

/// The line that says what is wrong, before anything has started.
fn refused(run: &Run, args: &[&str], script: &str) -> String {
    let ended = Ended::of(run.command().args(args).arg(run.script(script)));
    let said = ended.failed(2);
    assert!(!said.contains("starting vm"), "{said}");
    said
}

fn one_line(said: &str) -> &str {
    let said = said.trim_end();
    assert!(!said.contains('\n'), "{said}");
    said
}

#[test]
fn a_script_with_a_syntax_error() {
    let run = Run::new(&[("machine", "minimal")]);
    let said = refused(&run, &[], "start_all()\nif True\n    pass\n");
    let said = one_line(&said);
    assert!(said.ends_with("script.py:2: expected ':'"), "{said}");
    let said = refused(&run, &[], "x = '\0'");
    assert!(one_line(&said).contains("null bytes"), "{said}");
}

#[test]
fn files_that_are_not_there() {
    let run = Run::new(&[("machine", "minimal")]);
    let said = Ended::of(run.command().arg("/no/such/script.py")).failed(2);
    let missing = "/no/such/script.py: No such file or directory (os error 2)";
    assert_eq!(one_line(&said), format!("error: {missing}"));
    let said = refused(&run, &["-o", "/no/such/dir"], "");
    assert!(one_line(&said).contains("/no/such/dir"), "{said}");
    let said = refused(&run, &["-o", "/proc"], "");
    assert!(one_line(&said).contains("/proc"), "{said}");
    let said = refused(&run, &["--start-scripts", "/no/such/run-a-vm", "-K"], "");
    assert!(one_line(&said).contains("/no/such/run-a-vm"), "{said}");
    let said = Ended::of(&mut run.command()).failed(2);
    assert!(one_line(&said).contains("test script"), "{said}");
}

#[test]
fn start_scripts_against_the_contract() {
    let run = Run::new(&[("machine", "minimal")]);
    let named_otherwise = run.out().join("machine.sh");
    fs::copy(&run.start_scripts[0], &named_otherwise).unwrap();
    let args = ["--start-scripts", named_otherwise.to_str().unwrap(), "-K"];
    let said = refused(&run, &args, "");
    assert!(one_line(&said).contains("run-NAME-vm"), "{said}");

    let first = run.start_scripts[0].to_str().unwrap();
    let said = refused(&run, &["--start-scripts", first, first, "-K"], "");
    assert!(
        one_line(&said).contains("two machines are called machine"),
        "{said}"
    );
}

#[test]
fn numbers_that_are_none() {
    let run = Run::new(&[("machine", "minimal")]);
    let said = refused(&run, &["--vlans", "one", "-K"], "");
    assert!(said.contains("'one'"), "{said}");
    let said = refused(&run, &["--global-timeout", "soon"], "");
    assert!(said.contains("'soon'"), "{said}");
}
