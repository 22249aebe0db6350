//! The program `driver`: Python test scripts.

/// The examples, as anybody would run them.
mod examples;
/// Command lines and scripts that are wrong.
mod mistakes;
/// The names that scripts know, and what they take.
mod names;
/// The prompt.
mod prompt;
/// Reading screens without Tesseract's data.
mod screen;
/// Ctrl-C, SIGTERM, time-outs.
mod signals;
/// Sessions on a person's terminal.
mod terminal;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use vm_tests::{driver, start_script};

/// How many seconds a script may take: less than a test.
const LIMIT: &str = "200";

/// A run of the driver: its directories, and the start scripts of its machines.
struct Run {
    dir: TempDir,
    start_scripts: Vec<PathBuf>,
}

impl Run {
    /// Machines by name, each of an image.
    fn new(machines: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start_scripts = machines.iter().map(|(name, image)| {
            let link = dir.path().join(format!("run-{name}-vm"));
            symlink(start_script(image), &link).unwrap();
            link
        });
        let start_scripts = start_scripts.collect();
        Self { dir, start_scripts }
    }

    /// Where files from machines go.
    fn out(&self) -> &Path {
        self.dir.path()
    }

    fn script(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("script.py");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The driver, with nothing left to add but options and a script. What machines
    /// keep, they keep in this run's directory.
    fn command(&self) -> Command {
        let mut command = Command::new(driver());
        command
            .arg("--start-scripts")
            .args(&self.start_scripts)
            .arg("-o")
            .arg(self.out())
            // What hangs tells where.
            .args(["--global-timeout", LIMIT])
            .env("TMPDIR", self.dir.path())
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null());
        command
    }

    /// Runs a script to its end.
    fn run(&self, text: &str) -> Ended {
        Ended::of(self.command().arg(self.script(text)))
    }
}

/// A driver that has ended.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Self {
            status: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// The standard output of a script that passed.
    fn passed(self) -> String {
        assert_eq!(self.status, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What is said of a script that failed.
    fn failed(self, status: i32) -> String {
        assert_eq!(
            self.status,
            Some(status),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
        self.stderr
    }
}

#[test]
fn a_script_that_fails_shows_its_own_traceback() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "def demand():\n    machine.succeed('echo a reason; false')\n\ndemand()\n";
    let said = run.run(script).failed(1);
    let (_, story) = said
        .split_once("Traceback (most recent call last):\n")
        .unwrap();
    let lines: Vec<&str> = story.lines().collect();
    assert!(
        lines[0].contains("script.py\", line 4, in <module>"),
        "{story}"
    );
    assert!(story.contains("script.py\", line 2, in demand"), "{story}");
    assert!(!story.contains("test_driver"), "{story}");
    assert!(
        story.contains("RequestedAssertionFailed: machine: command `echo a reason; false` failed"),
        "{story}"
    );
    assert!(story.contains("    a reason"), "{story}");
}

#[test]
fn exceptions_are_those_that_scripts_catch() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
import re, sys
for doing, wanted in [
    (lambda: machine.succeed('false'), AssertionError),
    (lambda: machine.wait_until_succeeds('false', timeout=0.1), AssertionError),
    (lambda: machine.wait_for_console_text('never', timeout=0.1), AssertionError),
    (lambda: t.assertEqual(1, 2), AssertionError),
    (lambda: machine.wait_for_console_text('('), re.error),
    (lambda: machine.send_key('no such key'), Exception),
    (lambda: machine.copy_from_host('/no/such/file', '/tmp'), Exception),
    (lambda: machine.wait_for_open_port(0), Exception),
    (lambda: machine.wait_until_succeeds('true', timeout=float('nan')), ValueError),
]:
    try:
        doing()
    except wanted as error:
        assert not isinstance(error, KeyboardInterrupt), error
    else:
        raise Exception(f'{wanted} did not come')
sys.exit(7)
";
    run.run(script).failed(7);
    run.run("import sys; sys.exit('a message')").failed(1);
    run.run("import sys; sys.exit()").passed();
}

#[test]
fn subtests_are_reported() {
    let run = Run::new(&[]);
    let script = "\
with subtest('that passes'):
    pass
with subtest('that fails'):
    t.assertEqual('<a>', 'b')
";
    let (script, report) = (run.script(script), run.out().join("junit.xml"));
    Ended::of(run.command().arg("--junit-xml").arg(&report).arg(script)).failed(1);
    let report = std::fs::read_to_string(report).unwrap();
    for part in [
        r#"<testsuite name="script" tests="3" skipped="0" errors="0" failures="2">"#,
        r#"<testcase name="that passes" classname="script""#,
        r#"message="RequestedAssertionFailed: "#,
        "&lt;a&gt;",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
}

#[test]
fn threads_drive_machines_at_the_same_time() {
    let run = Run::new(&[("one", "minimal"), ("other", "minimal")]);
    let script = "\
import threading
start_all()
met = {vm.name: threading.Event() for vm in machines}

def meet(vm, peer):
    # Each waits in its guest until the other has come.
    vm.succeed('true')
    met[vm.name].set()
    assert met[peer.name].wait(120), peer
    print(vm.name, 'met', peer.name)

threads = [
    threading.Thread(target=meet, args=pair) for pair in [(one, other), (other, one)]
]
waiting = threading.Thread(target=lambda: one.wait_for_console_text('it is over'))
for thread in [waiting, *threads]:
    thread.start()
for thread in threads:
    thread.join()
one.succeed('dmesg -n 1; echo it is over >/dev/console')
waiting.join()
";
    let mut lines: Vec<String> = run
        .run(script)
        .passed()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(lines, ["one met other", "other met one"]);
}

#[test]
fn conditions_are_checked_before_commands() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
@polling_condition(seconds_interval=0)
def the_file_is_there():
    machine.succeed('test -e /tmp/file')

@polling_condition
def never():
    return False

machine.succeed('touch /tmp/file')
with the_file_is_there:
    machine.succeed('true')
    machine.succeed('rm /tmp/file')
    try:
        machine.succeed('touch /tmp/file')
    except Exception as error:
        print(error)
machine.fail('test -e /tmp/file')
try:
    never.wait(timeout=0.2)
except Exception as error:
    print(error)
";
    assert_eq!(
        run.run(script).passed(),
        "does not hold: the_file_is_there\naction timed out after 0.2 seconds\n"
    );
}

#[test]
fn state_is_kept_if_it_is_to_be() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = run.script("machine.succeed('echo kept >/disk/kept')\nmachine.shutdown()");
    Ended::of(run.command().arg("-K").arg(script)).passed();
    let script = run.script("print(machine.succeed('cat /disk/kept'), end='')");
    let kept = Ended::of(run.command().arg("--keep-vm-state").arg(&script)).passed();
    assert_eq!(kept, "kept\n");
    // Else, each begins anew, and leaves nothing.
    run.run("machine.fail('cat /disk/kept')").passed();
    let left = std::fs::read_dir(run.out()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = left.collect();
    left.sort();
    assert_eq!(
        left,
        [
            "run-machine-vm",
            "script.py",
            "shared-xchg",
            "vm-state-machine"
        ]
    );
}

#[test]
fn machines_made_by_the_script() {
    let run = Run::new(&[]);
    let minimal = start_script("minimal");
    let script = format!(
        "\
minimal = {minimal:?}
by_script = create_machine(minimal)
by_line = create_machine('VM_NODES= ' + minimal + ' -smbios type=1,serial=by-line', name='by-line')
of_old = create_machine({{'startCommand': minimal, 'name': 'of-old'}})
assert [vm.name for vm in (by_script, by_line, of_old)] == ['minimal', 'by-line', 'of-old']
for vm in by_script, of_old:
    vm.start()
assert by_line.succeed('cat /sys/class/dmi/id/product_serial') == 'by-line\\n'
assert by_script.succeed('echo here') == of_old.succeed('echo here')
print(len({{vm.pid for vm in (by_script, by_line, of_old)}}), machines)
"
    );
    assert_eq!(run.run(&script).passed(), "3 []\n");
}
