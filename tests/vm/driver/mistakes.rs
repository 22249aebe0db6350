use std::fs;
use std::process::Command;

use vm_tests::driver;

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
fn a_syntax_error_is_one_line() {
    let run = Run::booting(&[("machine", "minimal")]);
    let said = refused(&run, &[], "start_all()\nif True\n    pass\n");
    let said = one_line(&said);
    assert!(said.ends_with("script.py:2: expected ':'"), "{said}");
    let said = refused(&run, &[], "x = '\0'");
    assert!(one_line(&said).contains("null bytes"), "{said}");
}

/// What was wrong with it is told, too.
#[test]
fn a_condition_that_raises() {
    let script = "\
@polling_condition
def holds():
    raise ValueError('the reason')
with holds:
    machine.succeed('true')
";
    let said = Run::new(&[("machine", "minimal")]).run(script).failed(1);
    for part in ["ValueError: the reason", "does not hold: holds"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn missing_files_are_errors() {
    let run = Run::booting(&[("machine", "minimal")]);
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
    let run = Run::booting(&[("machine", "minimal")]);
    let named_otherwise = run.out().join("machine.sh");
    fs::copy(&run.start_scripts[0], &named_otherwise).unwrap();
    let args = ["--start-scripts", named_otherwise.to_str().unwrap(), "-K"];
    let said = refused(&run, &args, "");
    assert!(one_line(&said).contains("run-NAME-vm"), "{said}");

    let not_executable = run.out().join("run-other-vm");
    fs::write(&not_executable, "#!/bin/sh\n").unwrap();
    let args = ["--start-scripts", not_executable.to_str().unwrap(), "-K"];
    let said = refused(&run, &args, "");
    assert!(
        one_line(&said).contains("run-other-vm: not an executable"),
        "{said}"
    );

    let first = run.start_scripts[0].to_str().unwrap();
    let said = refused(&run, &["--start-scripts", first, first, "-K"], "");
    assert!(
        one_line(&said).contains("two machines are named machine"),
        "{said}"
    );
}

#[test]
fn invalid_numbers_are_refused() {
    let run = Run::booting(&[("machine", "minimal")]);
    for number in ["one", "-1"] {
        let said = refused(&run, &["--vlans", number, "-K"], "");
        assert!(one_line(&said).contains(&format!("'{number}'")), "{said}");
    }
    for limit in ["soon", "0", "-1"] {
        let said = refused(&run, &["--global-timeout", limit], "");
        assert!(one_line(&said).contains(&format!("'{limit}'")), "{said}");
    }
    let script = run.script("");
    let said = Ended::of(Command::new(driver()).arg(script).env("vlans", "1 one")).failed(2);
    assert!(one_line(&said).contains("\"one\""), "{said}");
}

#[test]
fn unknown_options_are_refused() {
    let said = Ended::of(Command::new(driver()).arg("--vlan")).failed(2);
    assert!(
        said.contains("'--vlans'") && said.contains("Usage:"),
        "{said}"
    );
    let help = Ended::of(Command::new(driver()).arg("--help")).passed();
    for variable in ["startScripts", "vlans", "globalTimeout", "testScript"] {
        assert!(help.contains(&format!("[env: {variable}")), "{help}");
    }
    let completions = Ended::of(Command::new(driver()).args(["--completions", "bash"])).passed();
    assert!(completions.contains("--start-scripts"), "{completions}");
}

/// Nix sets these for a test without machines or networks, and for one with two.
#[test]
fn words_of_the_environment() {
    let run = Run::booting(&[("a", "minimal"), ("b", "minimal")]);
    let started_with = |names: &str, vlans: &str| {
        let mut command = Command::new(driver());
        let script = run.script("print([vm.name for vm in machines], [vlan.nr for vlan in vlans])");
        command.current_dir(run.out()).env("testScript", script);
        command
            .env("startScripts", names)
            .env("vlans", vlans)
            .env("globalTimeout", "200");
        Ended::of(&mut command).passed()
    };
    assert_eq!(started_with("", ""), "[] []\n");
    let both = format!(
        "\n{}  {}\n",
        run.start_scripts[0].display(),
        run.start_scripts[1].display()
    );
    assert_eq!(started_with(&both, "2  1"), "['a', 'b'] [1, 2]\n");

    // What is on the command line is a word, whatever is in it.
    let dir = run.out().join("run-1 dir");
    fs::create_dir(&dir).unwrap();
    let script = dir.join("run-c-vm");
    fs::copy(&run.start_scripts[0], &script).unwrap();
    let args = ["--start-scripts", script.to_str().unwrap(), "--"];
    let named = Ended::of(run.command().args(args).arg(run.script("print(c.name)")));
    assert_eq!(named.passed(), "c\n");
}
