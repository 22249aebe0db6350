use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use vm_tests::wait_until_gone;

use super::Run;

/// The names in the output directory that begin with `vm`: directories of machines, and the
/// history's.
fn leftovers(run: &Run) -> Vec<String> {
    let entries = fs::read_dir(run.out()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = names.filter(|name| name.starts_with("vm")).collect();
    left.sort();
    left
}

#[test]
fn an_error_does_not_end_the_prompt() {
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
log.error('an error')
print(machine.succeed('hostname'))
test_script()
print('pid', machine.pid)
";
    driver.stdin.take().unwrap().write_all(lines).unwrap();
    let output = driver.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    for part in ["42\n", "machine\n", "the script machine\n"] {
        assert!(stdout.contains(part), "no {part:?} in {stdout:?}");
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
    assert_eq!(leftovers(&run), ["vmwright"]);
}

/// The controlling side of a pseudoterminal.
struct User {
    terminal: File,
    /// Output after the last match.
    seen: String,
}

impl User {
    /// Also returns the side that a program uses as its terminal.
    fn new() -> (Self, File) {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let path = ptsname(&user, Vec::new()).unwrap();
        let program = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(path.to_str().unwrap())
            .unwrap();
        let (terminal, seen) = (File::from(user), String::new());
        (Self { terminal, seen }, program)
    }

    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until a text appears after the last match.
    fn sees(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        while !self.seen.contains(text) {
            // Reading fails when the other side is closed.
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
    let (mut user, terminal) = User::new();
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
    user.sees(">>> ");
    // Tab completes names of the script's scope and those defined at the prompt.
    user.types("print(driv\t.out_dir.is_absolute())\r");
    user.sees("driver.out_dir");
    user.sees("True\r\n");
    user.types("a_name_of_mine = 6 * 7\r");
    user.types("print('it is', a_name_of_m\t)\r");
    user.sees("it is 42\r\n");

    user.types("print(f'pid {machine.start() or machine.pid}.')\r");
    user.sees("\npid ");
    user.sees(".\r\n");
    user.types("machine.shell_interact()\r");
    user.sees("Ctrl-] leaves it");
    user.types("echo $((6 * 7)) in the shell; exit\r");
    user.sees("42 in the shell\r\n");
    user.sees(">>> ");
    user.types("machine.console_interact()\r");
    user.sees("Ctrl-] leaves it");
    user.types("echo $((7 * 7)) on the console\r");
    user.sees("49 on the console");
    user.types("\x1d");
    user.sees(">>> ");
    // The prompt has the terminal again.
    user.types("print('pid', machine.pid, 'to the end')\r");
    user.sees("\npid ");
    user.sees(" to the end\r\n");
    // Before the prompt appears, the terminal would handle Ctrl-D itself, and readline drop it.
    user.sees(">>> ");
    user.types("\x04");
    assert!(driver.wait().unwrap().success());
    assert_eq!(leftovers(&run), ["vmwright"]);

    // The history is saved for the next run.
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
    // The exit status is that of the failed script, even after SystemExit.
    lines
        .write_all(b"print(found, machine.succeed('echo alive'))\nraise SystemExit\n")
        .unwrap();
    drop(lines);
    let ended = driver.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("Its machines still run"), "{stderr}");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(stdout.contains("found alive\n"), "{stdout}\n{stderr}");
}
