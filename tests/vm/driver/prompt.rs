use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use vm_tests::wait_until_gone;

use super::Run;

/// What a run has left, beside what it was given.
fn left(run: &Run) -> Vec<String> {
    let entries = fs::read_dir(run.out()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = names.filter(|name| name.starts_with("vm")).collect();
    left.sort();
    left
}

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
    let lines = b"\
print(6 * 7)
machine.succeed('false')
log.error('no end')
print(machine.succeed('hostname'))
test_script()
print('pid', machine.pid)
";
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
    assert!(!stderr.contains("test_driver"), "{stderr}");
    let (_, qemu) = stdout.split_once("pid ").unwrap();
    let qemu = qemu.lines().next().unwrap();
    wait_until_gone(qemu.parse().unwrap());
    assert_eq!(left(&run), ["vmwright"]);
}

/// A terminal, and somebody who sits at it.
struct Person {
    terminal: File,
    seen: String,
}

impl Person {
    /// Gives the other end, too: what a program has for its terminal.
    fn new() -> (Self, File) {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let path = ptsname(&person, Vec::new()).unwrap();
        let programs = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(path.to_str().unwrap())
            .unwrap();
        let (terminal, seen) = (File::from(person), String::new());
        (Self { terminal, seen }, programs)
    }

    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Watches until it appears, after all that was seen before.
    fn sees(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        while !self.seen.contains(text) {
            // It fails when there is nobody any more at the other end.
            let read = self.terminal.read(&mut buffer);
            let read =
                read.unwrap_or_else(|error| panic!("{error}: no {text:?} in {:?}", self.seen));
            self.seen
                .push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        let (_, rest) = self.seen.split_once(text).unwrap();
        self.seen = rest.to_owned();
    }
}

#[test]
fn the_prompt_works_at_a_terminal() {
    let run = Run::new(&[("machine", "minimal")]);
    let (mut person, terminal) = Person::new();
    let mut driver = run
        .command()
        .arg("-I")
        .env("XDG_STATE_HOME", run.out())
        .env("TERM", "dumb")
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal)
        .spawn()
        .unwrap();
    person.sees(">>> ");
    // Tab completes names of the script's, and those that were made here.
    person.types("print(driv\t.out_dir.is_absolute())\r");
    person.sees("driver.out_dir");
    person.sees("True\r\n");
    person.types("a_name_of_mine = 6 * 7\r");
    person.types("print('it is', a_name_of_m\t)\r");
    person.sees("it is 42\r\n");

    person.types("print(f'pid {machine.start() or machine.pid}.')\r");
    person.sees("\npid ");
    person.sees(".\r\n");
    person.types("machine.shell_interact()\r");
    person.sees("Ctrl-] leaves it");
    person.types("echo $((6 * 7)) in the shell; exit\r");
    person.sees("42 in the shell\r\n");
    person.sees(">>> ");
    person.types("machine.console_interact()\r");
    person.sees("Ctrl-] leaves it");
    person.types("echo $((7 * 7)) on the console\r");
    person.sees("49 on the console");
    person.types("\x1d");
    person.sees(">>> ");
    // The terminal is a prompt's again.
    person.types("print('pid', machine.pid, 'to the end')\r");
    person.sees("\npid ");
    person.sees(" to the end\r\n");
    // Before the prompt, Ctrl-D is the terminal's own, and lost when readline takes over.
    person.sees(">>> ");
    person.types("\x04");
    assert!(driver.wait().unwrap().success());
    assert_eq!(left(&run), ["vmwright"]);

    // What was typed is there next time.
    let history = fs::read_to_string(run.out().join("vmwright/driver-history")).unwrap();
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines[1], "a_name_of_mine = 6 * 7");
    assert!(!history.contains("in the shell"), "{history}");
}

#[test]
fn a_failed_script_opens_the_prompt() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = run.script("found = machine.succeed('echo found').strip()\nassert found == 'x'\n");
    let mut driver = run
        .command()
        .arg("--pause-on-failure")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = driver.stdin.take().unwrap();
    // However it is left, the script has failed.
    lines
        .write_all(b"print(found, machine.succeed('echo alive'))\nraise SystemExit\n")
        .unwrap();
    drop(lines);
    let ended = driver.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("Its machines still run"), "{said}");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(stdout.contains("found alive\n"), "{stdout}\n{said}");
}
