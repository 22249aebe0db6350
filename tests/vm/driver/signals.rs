use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use vm_tests::wait_until_gone;

use super::{Ended, Run};

/// Sends a signal to a driver that is where the script says so; gives its end.
fn signalled(script: &str, signal: Signal) -> Ended {
    let run = Run::new(&[("machine", "minimal")]);
    let mut driver = run
        .command()
        .arg(run.script(script))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let qemu: u32 = line.trim().parse().unwrap();
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
    }
}

const IN_A_WAIT: &str = "\
machine.start()
print(machine.pid, flush=True)
machine.wait_for_console_text('this never comes')
";

#[test]
fn ctrl_c_ends_a_wait() {
    let said = signalled(IN_A_WAIT, Signal::INT).failed(130);
    assert!(said.contains("script.py\", line 3"), "{said}");
    assert!(said.contains("\nKeyboardInterrupt\n"), "{said}");
    assert!(said.contains("script was interrupted in "), "{said}");
    assert!(said.ends_with("/trace.html\n"), "{said}");
}

#[test]
fn ctrl_c_ends_python() {
    let script = "machine.start()\nprint(machine.pid, flush=True)\nwhile True: pass\n";
    signalled(script, Signal::INT).failed(130);
    let script = "import time\nmachine.start()\nprint(machine.pid, flush=True)\ntime.sleep(1000)\n";
    signalled(script, Signal::INT).failed(130);
}

#[test]
fn sigterm_cleans_up() {
    signalled(IN_A_WAIT, Signal::TERM).failed(143);
}

#[test]
fn a_thread_that_waits_does_not_hold_up_the_end() {
    let script = "\
import threading
machine.start()
threading.Thread(target=machine.wait_for_console_text, args=['this never comes']).start()
print(machine.pid, flush=True)
machine.connect()
machine.succeed('sleep 1000')
";
    signalled(script, Signal::INT).failed(130);
}

#[test]
fn the_time_for_everything() {
    let run = Run::new(&[("machine", "minimal")]);
    let script =
        run.script("machine.start()\nwhile True:\n    machine.wait_for_console_text('x{99}')\n");
    let said = Ended::of(run.command().args(["--global-timeout", "2"]).arg(script)).failed(124);
    assert!(said.contains("script.py\", line 3"), "{said}");
    assert!(
        said.contains("the run took longer than 2 seconds"),
        "{said}"
    );
}
