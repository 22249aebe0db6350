use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

use super::assert_nothing_left;
use crate::driver::Run;

/// Signals a driver when its log shows a phase, and asserts that nothing is left of it.
fn assert_leaves_nothing(log: &str, signal: Signal) {
    let run = match log {
        STARTING | RUNNING => Run::booting(&[("machine", "minimal")]),
        _ => Run::new(&[("machine", "minimal")]),
    };
    assert_command_leaves_nothing(&run, run.command(), log, signal);
}

/// The same for a driver's command.
fn assert_command_leaves_nothing(run: &Run, mut command: Command, log: &str, signal: Signal) {
    let script_text = match log {
        CLEANUP => "machine.start()",
        _ => ENDLESS,
    };
    let mut driver = command
        .args(["--vlans", "1", "--"])
        .arg(run.script(script_text))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(driver.stderr.take().unwrap());
    let (mut output, mut line) = (String::new(), String::new());
    while !line.contains(log) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{output}");
        output += &line;
    }
    kill_process(Pid::from_child(&driver), signal).unwrap();
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
    output += &String::from_utf8_lossy(&rest);
    let status = driver.wait().unwrap();
    let has_passed = log == CLEANUP && status.success();
    assert!(has_passed || ended_by(signal, status), "{status}: {output}");
    wait_until_unused(run.out());
    assert_nothing_left(run.out());
}

/// Whether this exit status is that of a driver ended by the signal.
fn ended_by(signal: Signal, status: ExitStatus) -> bool {
    match signal {
        Signal::INT => status.code() == Some(130),
        Signal::TERM => status.code() == Some(143),
        signal => status.signal() == Some(signal.as_raw()),
    }
}

/// Waits for the end of each process whose working directory or command line refers to `dir`:
/// QEMU, its supervisor, a switch, the clean-up process.
fn wait_until_unused(dir: &Path) {
    let dir = dir.to_str().unwrap();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let Some(pid) = process
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let is_inside = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        if is_inside || String::from_utf8_lossy(&command).contains(dir) {
            wait_until_gone(pid);
        }
    }
}

/// A script with many phases that does not end.
const ENDLESS: &str = "\
machine.start()
machine.succeed('true')
machine.copy_from_host('/etc/hosts', '/tmp/hosts')
machine.copy_from_machine('/etc')
machine.wait_until_succeeds('false')
";

/// Also logged while a template is made: for these phases, machines boot.
const STARTING: &str = "starting vm";
const RUNNING: &str = "QEMU running";

/// The script has passed in this phase, and so may the run.
const CLEANUP: &str = "cleanup";

const PHASES: [&str; 8] = [
    "start all VLans",
    STARTING,
    RUNNING,
    "must succeed: true",
    "copying the host's /etc/hosts",
    "copying /etc from the guest",
    "success of `false`",
    CLEANUP,
];

/// An incomplete template may be left in the cache. Making it again removes it, which
/// `templates::cache::a_build_killed_while_saving_leaves_no_files` tests.
#[test]
fn an_interrupted_template_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::KILL] {
        let cache = tempfile::tempdir().unwrap();
        let dir = cache.path().canonicalize().unwrap();
        let run = Run::booting(&[("machine", "minimal")]);
        let mut command = run.command();
        command.arg("--templates").arg(&dir);
        assert_command_leaves_nothing(&run, command, "saving vm", signal);
        wait_until_unused(&dir);
    }
}

#[test]
fn sigint_leaves_nothing_behind() {
    for phase in PHASES {
        assert_leaves_nothing(phase, Signal::INT);
    }
}

#[test]
fn sigterm_leaves_nothing_behind() {
    for phase in PHASES {
        assert_leaves_nothing(phase, Signal::TERM);
    }
}

#[test]
fn sigkill_leaves_nothing_behind() {
    for phase in PHASES {
        assert_leaves_nothing(phase, Signal::KILL);
    }
}
