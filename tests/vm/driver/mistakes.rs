use std::fs;
use std::process::Command;

use vm_tests::driver;

use super::{Ended, Run};

/// Asserts that the driver fails before it starts a machine, and returns its error.
fn refused(run: &Run, args: &[&str], script: &str) -> String {
    let ended = Ended::of(run.command().args(args).arg(run.script(script)));
    let stderr = ended.failed(2);
    assert!(!stderr.contains("starting vm"), "{stderr}");
    stderr
}

/// Asserts that an error is a single line.
fn one_line(error: &str) -> &str {
    let error = error.trim_end();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_syntax_error_is_one_line() {
    let run = Run::booting(&[("machine", "minimal")]);
    let stderr = refused(&run, &[], "start_all()\nif True\n    pass\n");
    let stderr = one_line(&stderr);
    assert!(stderr.ends_with("script.py:2: expected ':'"), "{stderr}");
    let stderr = refused(&run, &[], "x = 1\ny = '\0'");
    let expected = "script.py:2: the script contains a NUL character";
    assert!(one_line(&stderr).ends_with(expected), "{stderr}");
}

#[test]
fn an_exception_in_a_condition_is_shown() {
    let script = "\
@polling_condition
def holds():
    raise ValueError('the reason')
with holds:
    machine.succeed('true')
";
    let stderr = Run::new(&[("machine", "minimal")]).run(script).failed(1);
    for part in ["ValueError: the reason", "does not hold: holds"] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
}

#[test]
fn missing_files_are_errors() {
    let run = Run::booting(&[("machine", "minimal")]);
    let stderr = Ended::of(run.command().arg("/no/such/script.py")).failed(2);
    let missing = "/no/such/script.py: No such file or directory (os error 2)";
    assert_eq!(one_line(&stderr), format!("error: {missing}"));
    for dir in ["/proc", "/proc/no/such"] {
        let stderr = refused(&run, &["-o", dir], "");
        let expected = format!("error: the output directory {dir}: ");
        assert!(one_line(&stderr).starts_with(&expected), "{stderr}");
    }
    let stderr = refused(&run, &["--start-scripts", "/no/such/run-a-vm", "-K"], "");
    assert!(one_line(&stderr).contains("/no/such/run-a-vm"), "{stderr}");
    let stderr = Ended::of(&mut run.command()).failed(2);
    assert!(one_line(&stderr).contains("test script"), "{stderr}");
}

#[test]
fn invalid_start_scripts_are_refused() {
    let run = Run::booting(&[("machine", "minimal")]);
    let not_executable = run.out().join("run-other-vm");
    fs::write(&not_executable, "#!/bin/sh\n").unwrap();
    let args = ["--start-scripts", not_executable.to_str().unwrap(), "-K"];
    let stderr = refused(&run, &args, "");
    assert!(
        one_line(&stderr).contains("run-other-vm: not an executable"),
        "{stderr}"
    );

    let first = run.start_scripts[0].to_str().unwrap();
    let stderr = refused(&run, &["--start-scripts", first, first, "-K"], "");
    assert!(
        one_line(&stderr).contains("two machines are named machine"),
        "{stderr}"
    );
}

#[test]
fn invalid_numbers_are_refused() {
    let run = Run::booting(&[("machine", "minimal")]);
    for number in ["one", "-1"] {
        let stderr = refused(&run, &["--vlans", number, "-K"], "");
        assert!(
            one_line(&stderr).contains(&format!("'{number}'")),
            "{stderr}"
        );
    }
    for limit in ["soon", "0", "-1"] {
        let stderr = refused(&run, &["--global-timeout", limit], "");
        assert!(
            one_line(&stderr).contains(&format!("'{limit}'")),
            "{stderr}"
        );
    }
    let script = run.script("");
    let stderr = Ended::of(Command::new(driver()).arg(script).env("vlans", "1 one")).failed(2);
    assert!(one_line(&stderr).contains("\"one\""), "{stderr}");
}

#[test]
fn unknown_options_are_refused() {
    let stderr = Ended::of(Command::new(driver()).arg("--vlam")).failed(2);
    assert!(
        stderr.contains("'--vlans'") && stderr.contains("Usage:"),
        "{stderr}"
    );
    let help = Ended::of(Command::new(driver()).arg("--help")).passed();
    for variable in ["startScripts", "vlans", "globalTimeout", "testScript"] {
        assert!(help.contains(&format!("[env: {variable}")), "{help}");
    }
    let completions = Ended::of(Command::new(driver()).args(["--completions", "bash"])).passed();
    assert!(completions.contains("--start-scripts"), "{completions}");
}

/// The values are those that Nix sets for tests with none and with two machines and networks.
#[test]
fn environment_variables_are_split_into_words() {
    let run = Run::booting(&[("a", "minimal"), ("b", "minimal")]);
    let run_with = |names: &str, vlans: &str| {
        let mut command = Command::new(driver());
        let script = run.script("print([vm.name for vm in machines], [vlan.nr for vlan in vlans])");
        command.current_dir(run.out()).env("testScript", script);
        command
            .env("startScripts", names)
            .env("vlans", vlans)
            .env("globalTimeout", "200");
        Ended::of(&mut command).passed()
    };
    assert_eq!(run_with("", ""), "[] []\n");
    let both = format!(
        "\n{}  {}\n",
        run.start_scripts[0].display(),
        run.start_scripts[1].display()
    );
    assert_eq!(run_with(&both, "2  1"), "['a', 'b'] [1, 2]\n");

    // Arguments of the command line are not split.
    let dir = run.out().join("run-1 dir");
    fs::create_dir(&dir).unwrap();
    let script = dir.join("run-c-vm");
    fs::copy(&run.start_scripts[0], &script).unwrap();
    let args = ["--start-scripts", script.to_str().unwrap(), "--"];
    let named = Ended::of(run.command().args(args).arg(run.script("print(c.name)")));
    assert_eq!(named.passed(), "c\n");
}

#[test]
fn a_wait_that_cannot_succeed_says_why_in_words() {
    let script = "\
import re
machine.start()
for wait in [
    lambda: machine.wait_for_text('no such text', timeout=0),
    lambda: machine.wait_for_console_text('never', timeout=0),
    lambda: machine.wait_for_console_text(b'x'),
    lambda: machine.wait_for_text(re.compile(b'x')),
    lambda: machine.wait_for_console_text('('),
    lambda: machine.wait_until_tty_matches('1', '('),
    lambda: machine.wait_for_qmp_event(lambda _: False, timeout=0),
]:
    try:
        wait()
    except Exception as error:
        print(type(error).__name__, str(error).split(';')[0])
";
    let output = Run::new(&[("machine", "minimal")]).run(script).passed();
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.starts_with(' '))
        .collect();
    let [text, console, bytes, pattern, invalid, invalid_tty, event] = lines[..] else {
        panic!("{output}");
    };
    assert_eq!(
        text,
        "TimedOut machine: did not wait for no such text to appear on screen, after one attempt"
    );
    assert_eq!(
        console,
        "TimedOut machine: did not wait for `never` on the console"
    );
    let expected = "TypeError expected a regular expression as str or re.Pattern of str, not ";
    assert_eq!(bytes, expected.to_owned() + "bytes");
    assert_eq!(pattern, expected.to_owned() + "Pattern");
    for error in [invalid, invalid_tty] {
        let begin = "error '(' is not a regular expression: ";
        assert!(error.starts_with(begin), "{error}");
    }
    assert_eq!(event, "TimedOut machine: did not wait for a QEMU event");
}

#[test]
fn a_directory_for_temporary_files_that_is_missing_is_named() {
    let run = Run::booting(&[]);
    let script = run.script("");
    let ended = Ended::of(run.command().arg(script).env("TMPDIR", "/no/such/dir"));
    let stderr = ended.failed(2);
    let expected = "error: the directory for temporary files /no/such/dir: ";
    assert!(one_line(&stderr).starts_with(expected), "{stderr}");
}

#[test]
fn a_network_without_vde_switch_is_refused() {
    let run = Run::booting(&[]);
    let script = run.script("");
    let mut command = run.command();
    command.args(["--vlans", "1", "--"]).arg(script);
    let stderr = Ended::of(command.env("PATH", "/no/such/dir")).failed(2);
    let expected = "error: vde_switch is not in PATH: networks need it";
    assert!(one_line(&stderr).starts_with(expected), "{stderr}");
}

#[test]
fn names_that_a_script_can_not_have_are_refused() {
    for (names, reason) in [
        (vec!["machines"], "the variable machines: this is a name of"),
        (vec!["log"], "the machine log can't be the variable log"),
        (vec!["t"], "the machine t can't be the variable t"),
        (vec!["vlan1"], "the variable vlan1: this is a network"),
        (
            vec!["a-b", "a_b"],
            "the machine a_b can't be the variable a_b: this is the machine a-b",
        ),
    ] {
        let machines: Vec<_> = names.iter().map(|name| (*name, "minimal")).collect();
        let run = Run::booting(&machines);
        let stderr = refused(&run, &["--vlans", "1", "--"], "");
        assert!(
            one_line(&stderr).contains(reason),
            "no {reason} in {stderr}"
        );
    }
    for name in ["", "-rf", "x/y", "x y"] {
        let run = Run::booting(&[("machine", "minimal")]);
        let stderr = refused(&run, &[&format!("--vm-names={name}"), "-K"], "");
        assert!(
            one_line(&stderr).contains("can't be a machine's name"),
            "{stderr}"
        );
    }
}

#[test]
fn a_script_can_not_create_machines_of_such_names() {
    let script = "\
import sys
for name in ['-rf', 'x/y', 'x y', '..']:
    try:
        create_machine('exit 3', name=name)
    except Exception as error:
        assert \"can't name a machine\" in str(error), error
    else:
        sys.exit(f'{name} was accepted')
";
    Run::booting(&[]).run(script).passed();
}

#[test]
fn as_many_names_as_start_scripts_are_required() {
    let run = Run::booting(&[("a", "minimal"), ("b", "minimal")]);
    let stderr = refused(&run, &["--vm-names", "a", "-K"], "");
    let expected = "error: there are 1 names of machines, but 2 start scripts";
    assert_eq!(one_line(&stderr), expected);
}

#[test]
fn containers_without_a_script_are_refused() {
    let run = Run::booting(&[("machine", "minimal")]);
    let stderr = refused(&run, &["--container-start-scripts", "/nothing", "--"], "");
    assert!(
        one_line(&stderr).starts_with("error: /nothing: "),
        "{stderr}"
    );
    let script = run.script("");
    let stderr = Ended::of(run.command().arg(script).env("containerNames", "a b")).failed(2);
    let expected = "error: there are 2 names of containers, but 0 start scripts";
    assert_eq!(one_line(&stderr), expected);
}

#[test]
fn a_log_level_that_does_not_exist_is_refused() {
    let run = Run::booting(&[]);
    let stderr = refused(&run, &["--log-level", "loud"], "");
    assert!(one_line(&stderr).contains("'loud'"), "{stderr}");
    let script = run.script("");
    let stderr = Ended::of(run.command().arg(script).env("logLevel", "loud")).failed(2);
    assert!(one_line(&stderr).contains("\"loud\""), "{stderr}");
}
