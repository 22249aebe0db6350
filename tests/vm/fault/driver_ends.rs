use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

use super::assert_nothing_left;
use crate::driver::Run;

/// Ends a driver when its log shows a phase, by a signal; nothing may be left of it.
fn driver_ended_when(log: &str, signal: Signal) {
    let run = match log {
        STARTING | RUNNING => Run::booting(&[("machine", "minimal")]),
        _ => Run::new(&[("machine", "minimal")]),
    };
    driver_ended(&run, run.command(), log, signal);
}

/// The same for a driver of one's own.
fn driver_ended(run: &Run, mut command: Command, log: &str, signal: Signal) {
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
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains(log) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{said}");
        said += &line;
    }
    kill_process(Pid::from_child(&driver), signal).unwrap();
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
    said += &String::from_utf8_lossy(&rest);
    let status = driver.wait().unwrap();
    let has_passed = log == CLEANUP && status.success();
    assert!(has_passed || ended_by(signal, status), "{status}: {said}");
    wait_until_unused(run.out());
    assert_nothing_left(run.out());
}

/// Whether it ended as one does that was sent this signal.
fn ended_by(signal: Signal, status: ExitStatus) -> bool {
    match signal {
        Signal::INT => status.code() == Some(130),
        Signal::TERM => status.code() == Some(143),
        signal => status.signal() == Some(signal.as_raw()),
    }
}

/// Whoever works there, or was given a path there: QEMU, its supervisor, a switch, a janitor.
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
        let works_there = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        if works_there || String::from_utf8_lossy(&command).contains(dir) {
            wait_until_gone(pid);
        }
    }
}

/// A script that has no end, but many phases.
const ENDLESS: &str = "\
machine.start()
machine.succeed('true')
machine.copy_from_host('/etc/hosts', '/tmp/hosts')
machine.copy_from_machine('/etc')
machine.wait_until_succeeds('false')
";

/// So it is while a template is made, too, which is elsewhere.
const STARTING: &str = "starting vm";
const RUNNING: &str = "QEMU running";

/// Its script may have passed when the signal comes.
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

/// What is left of the template is where templates are, and goes when it is made again:
/// `templates::cache::killed_while_saving_leaves_nothing`.
#[test]
fn interrupted_while_making_a_template() {
    for signal in [Signal::INT, Signal::KILL] {
        let cache = tempfile::tempdir().unwrap();
        let dir = cache.path().canonicalize().unwrap();
        let run = Run::booting(&[("machine", "minimal")]);
        let mut command = run.command();
        command.arg("--templates").arg(&dir);
        driver_ended(&run, command, "saving vm", signal);
        wait_until_unused(&dir);
    }
}

#[test]
fn interrupted_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::INT);
    }
}

#[test]
fn terminated_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::TERM);
    }
}

#[test]
fn killed_in_every_phase() {
    for phase in PHASES {
        driver_ended_when(phase, Signal::KILL);
    }
}
