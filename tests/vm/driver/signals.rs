use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

use super::{Ended, Run};

/// Sends a signal to a driver after its script has printed the PID of QEMU, and waits until
/// both have ended.
fn signalled(script: &str, signal: Signal) -> Ended {
    let run = Run::new(&[("machine", "minimal")]);
    let mut command = run.command();
    command.arg(run.script(script));
    end_by(&run, &mut command, signal)
}

/// The same with lines at the prompt.
fn signalled_at_the_prompt(lines: &str, signal: Signal) -> Ended {
    let run = Run::new(&[("machine", "minimal")]);
    let mut command = run.command();
    let lines = File::open(run.script(lines)).unwrap();
    command
        .arg("-I")
        .stdin(lines)
        .env("XDG_STATE_HOME", run.out());
    end_by(&run, &mut command, signal)
}

fn end_by(run: &Run, command: &mut Command, signal: Signal) -> Ended {
    let mut driver = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    // A prompt may precede the PID.
    let qemu = line.split_whitespace().last().unwrap();
    let qemu: u32 = qemu.parse().unwrap();
    kill_process(Pid::from_child(&driver), signal).unwrap();
    let (mut rest, mut stderr) = (String::new(), String::new());
    stdout.read_to_string(&mut rest).unwrap();
    let mut pipe = driver.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    let status = driver.wait().unwrap().code();
    wait_until_gone(qemu);
    let left = std::fs::read_dir(run.out()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let state: Vec<String> = names.filter(|name| name.starts_with("vm-")).collect();
    assert!(state.is_empty(), "{state:?}");
    Ended {
        status,
        stdout: rest,
        stderr,
        report: None,
    }
}

const IN_A_WAIT: &str = "\
machine.start()
qemu = machine.pid
print(qemu, flush=True) or machine.wait_for_console_text('never printed')
";

#[test]
fn ctrl_c_ends_a_wait() {
    let log = signalled(IN_A_WAIT, Signal::INT).failed(130);
    assert!(log.contains("script.py\", line 3"), "{log}");
    assert!(log.contains("\nKeyboardInterrupt\n"), "{log}");
    assert!(log.contains("script was interrupted in "), "{log}");
    assert!(log.ends_with("/trace.html\n"), "{log}");
}

#[test]
fn ctrl_c_ends_python() {
    let script = "machine.start()\nprint(machine.pid, flush=True)\nwhile True: pass\n";
    signalled(script, Signal::INT).failed(130);
    let script = "import time\nmachine.start()\nprint(machine.pid, flush=True)\ntime.sleep(1000)\n";
    signalled(script, Signal::INT).failed(130);
}

/// The signal does not interrupt the system call if another thread receives it, or if it arrives
/// just before the call.
#[test]
fn ctrl_c_ends_a_sleep() {
    let script = "\
import signal, threading, time
interrupt = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Timer(0.2, interrupt).start()
time.sleep(1000)
";
    Run::new(&[]).run(script).failed(130);
}

#[test]
fn sigterm_cleans_up() {
    signalled(IN_A_WAIT, Signal::TERM).failed(143);
}

#[test]
fn signals_at_the_prompt() {
    const LINES: &str = "\
machine.start()
print(machine.pid, flush=True) or machine.wait_for_console_text('never printed')
print('still running')
";
    let ended = signalled_at_the_prompt(LINES, Signal::TERM);
    assert!(!ended.stdout.contains("still running"), "{}", ended.stdout);
    ended.failed(143);
    // Ctrl-C ends only the current statement; the end of input ends the prompt.
    let ended = signalled_at_the_prompt(LINES, Signal::INT);
    assert!(
        ended.stderr.contains("\nKeyboardInterrupt\n"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("test_driver"), "{}", ended.stderr);
    assert!(ended.passed().contains("still running\n"));
}

#[test]
fn a_waiting_thread_does_not_delay_the_exit() {
    let script = "\
import threading
machine.start()
threading.Thread(target=machine.wait_for_console_text, args=['never printed']).start()
print(machine.pid, flush=True)
machine.connect()
machine.succeed('sleep 1000')
";
    signalled(script, Signal::INT).failed(130);
}

#[test]
fn the_global_timeout_ends_a_script() {
    let run = Run::new(&[("machine", "minimal")]);
    // The loop also starts the machine, so the script always times out in line 2.
    let script = run.script("while True:\n    machine.wait_for_console_text('x{99}')\n");
    let log = Ended::of(run.command().args(["--global-timeout", "10"]).arg(script)).failed(124);
    assert!(log.contains("script.py\", line 2"), "{log}");
    assert!(log.contains("the run took longer than 10 seconds"), "{log}");
}

/// Runs a script, or with `-I` lines at the prompt, with a global timeout.
fn run_with_timeout(seconds: &str, options: &[&str], script: &str) -> Ended {
    let run = Run::new(&[]);
    let mut command = run.command();
    let script = run.script(script);
    if options.contains(&"-I") {
        command
            .stdin(File::open(&script).unwrap())
            .env("XDG_STATE_HOME", run.out());
    }
    command
        .args(["--global-timeout", seconds])
        .args(options)
        .arg("--")
        .arg(script);
    Ended::of(&mut command)
}

#[test]
fn a_timeout_can_not_be_caught() {
    let script = "\
import threading
for _ in range(2):
    try:
        threading.Event().wait()
    except BaseException as error:
        print(type(error).__name__)
";
    let ended = run_with_timeout("10", &[], script);
    assert_eq!(ended.stdout, "GlobalTimeout\nGlobalTimeout\n");
    let log = ended.failed(124);
    assert!(
        log.contains("the run took longer than 10 seconds; it was at\n"),
        "{log}"
    );
    assert!(log.contains("script.py\", line 4, in <module>"), "{log}");
}

#[test]
fn an_endless_script_is_stopped() {
    let script = "\
import threading
while True:
    try:
        threading.Event().wait()
    except BaseException:
        pass
";
    let log = run_with_timeout("5", &[], script).failed(124);
    assert!(log.contains("script.py\", line 4 in <module>"), "{log}");
    assert!(log.contains("did not end after its time limit"), "{log}");
}

/// The limit is that of a script, not of a user.
#[test]
fn the_global_timeout_does_not_end_a_prompt() {
    let lines = "\
import signal
print(signal.getitimer(signal.ITIMER_REAL))
";
    let ended = run_with_timeout("1", &["-I"], lines);
    assert!(ended.stdout.contains("(0.0, 0.0)"), "{}", ended.stdout);
    ended.passed();
    // Not even the one after a failure.
    let run = Run::new(&[]);
    let script =
        run.script("import signal\nassert signal.getitimer(signal.ITIMER_REAL)[0] > 0\n1 / 0\n");
    let lines = run.out().join("lines");
    std::fs::write(&lines, "print(signal.getitimer(signal.ITIMER_REAL))\n").unwrap();
    let mut command = run.command();
    command.arg("--pause-on-failure").arg(script);
    let ended = Ended::of(command.stdin(File::open(lines).unwrap()));
    assert!(ended.stdout.contains("(0.0, 0.0)"), "{}", ended.stdout);
    ended.failed(1);
}

#[test]
fn the_global_timeout_ends_a_script_at_the_prompt() {
    let run = Run::new(&[]);
    let script = run.script("import threading\nthreading.Event().wait()\n");
    let lines = run.out().join("lines");
    std::fs::write(&lines, "run_tests()\nprint('after')\n").unwrap();
    let mut command = run.command();
    command.args(["-I", "--global-timeout", "5"]).arg(script);
    command.env("XDG_STATE_HOME", run.out());
    let ended = Ended::of(command.stdin(File::open(lines).unwrap()));
    assert!(!ended.stdout.contains("after"), "{}", ended.stdout);
    let log = ended.failed(124);
    assert!(log.contains("the run took longer than 5 seconds"), "{log}");
}

/// With the words and the exit status of the NixOS test driver.
#[test]
fn the_global_timeout_of_nix_ends_like_sigterm() {
    let run = Run::new(&[]);
    let script = run.script("import threading\nthreading.Event().wait()\n");
    let by_variables = || {
        let mut command = Command::new(vm_tests::driver());
        command.env("globalTimeout", "5").env("testScript", &script);
        command
    };
    let by_configuration = || {
        let config = super::start::config(run.out(), &[], &script);
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("1000", "5").replace("[1]", "[]")).unwrap();
        let mut command = Command::new(vm_tests::driver());
        command.arg("--config").arg(config);
        command
    };
    for mut command in [by_variables(), by_configuration()] {
        let log = Ended::of(command.current_dir(run.out())).failed(143);
        assert!(
            log.contains("timeout reached; test terminating..."),
            "{log}"
        );
        assert!(log.contains("script ran out of time in "), "{log}");
    }
}

#[test]
fn join_all_ends_the_time_limit() {
    let script = "\
import signal
assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
join_all()
assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
";
    run_with_timeout("100", &[], script).passed();
}

/// The limit of the outer run holds in the inner run, and after it.
#[test]
fn the_global_timeout_is_restored_after_another_run() {
    let script = "\
import os, signal
from datetime import timedelta
from test_driver.config import DriverConfiguration, VMConfiguration
from test_driver.driver import Driver

def left():
    return signal.getitimer(signal.ITIMER_REAL)[0]

inner = driver.out_dir / 'inner.py'
inner.write_text('')
nodes = os.environ['VM_NODES']
before = left()
for limit, least, most in (10, 0, 10), (5000, 10, 1000):
    vms = {'inner': VMConfiguration('inner', 'run-inner-vm')}
    config = DriverConfiguration(vms, [], inner, timedelta(seconds=limit), False)
    with Driver(config, driver.out_dir) as another:
        assert os.environ['VM_NODES'] == 'inner'
        another.race_timer.start()
        assert least < left() <= most, left()
        another.run_tests()
    assert 10 < left() <= before, left()
    assert os.environ['VM_NODES'] == nodes
";
    run_with_timeout("1000", &[], script).passed();
}

#[test]
fn a_script_can_end_the_run_as_its_time_limit_does() {
    let log = Run::new(&[])
        .run("driver.terminate_test()\nwhile True: pass\n")
        .failed(143);
    assert!(
        log.contains("timeout reached; test terminating..."),
        "{log}"
    );
}
