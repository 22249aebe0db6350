use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::Run;

/// A thread in an endless operation does not keep the run. It is named.
#[test]
fn an_operation_of_a_thread_ends_with_the_script() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
import sys, threading
machine.succeed('true')
for daemon, command in [(True, 'sleep infinity'), (False, 'sleep 1000000')]:
    thread = threading.Thread(target=machine.succeed, args=[command], daemon=daemon, name=command)
    thread.start()
    while 'test_driver' not in sys._current_frames()[thread.ident].f_code.co_filename:
        pass
print('passes')
";
    let ended = run.run(script);
    let log = ended.stderr.clone();
    assert_eq!(ended.passed(), "passes\n");
    for name in ["sleep infinity", "sleep 1000000"] {
        let named =
            format!("the script has ended: thread {name} ends in machine.succeed('{name}')");
        assert_eq!(log.matches(&named).count(), 1, "{log}");
    }
    assert!(!log.contains("Traceback"), "{log}");
}

/// Also one that catches all exceptions, and after a failure.
#[test]
fn a_thread_can_not_go_on_after_the_script() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
import threading
machine.succeed('true')

def go_on():
    while True:
        try:
            machine.succeed('true')
        except Exception:
            pass

threading.Thread(target=go_on).start()
raise ValueError('the script fails')
";
    let log = run.run(script).failed(1);
    assert!(log.contains("ValueError: the script fails"), "{log}");
}

/// Each operation of a machine raises the exception of the callback that it has run.
#[test]
fn exceptions_of_callbacks_stay_in_their_threads() {
    let script = "\
import itertools, threading
numbers, received = itertools.count(), []

def fail():
    raise ValueError(next(numbers))

def use():
    for _ in range(300):
        try:
            machine.send_monitor_command('info status')
        except ValueError as error:
            received.append(error.args[0])
        except BaseException as error:
            received.append(error)

machine.start()
machine.callbacks.append(fail)
threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
machine.callbacks.pop()
raised = next(numbers)
assert sorted(received, key=str) == sorted(range(raised), key=str), received
assert raised
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn machines_start_at_the_same_time() {
    let run = Run::booting(&[("a", "minimal"), ("b", "minimal"), ("c", "minimal")]);
    let script = "\
import threading
all_start = threading.Barrier(3)
for vm in machines:
    vm.start = lambda start=vm.start: all_start.wait(60) >= 0 and start()
start_all()
print([vm.booted for vm in machines])
";
    assert_eq!(run.run(script).passed(), "[True, True, True]\n");
}

#[test]
fn all_machines_that_can_not_start_are_named() {
    let mut run = Run::booting(&[("good", "minimal")]);
    for name in ["bad", "worse"] {
        let script = run.out().join(format!("run-{name}-vm"));
        fs::write(
            &script,
            format!("#!/bin/sh\necho {name} reason >&2\nexit 3\n"),
        )
        .unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        run.start_scripts.push(script);
    }
    let log = run.run("start_all()\n").failed(1);
    let (_, error) = log
        .split_once("\nMachineError: Failed to start the following machines:\n")
        .unwrap();
    let (bad, worse) = error.split_once("\nworse: ").unwrap();
    assert!(
        bad.starts_with("bad: ") && bad.contains("bad reason"),
        "{log}"
    );
    assert!(worse.contains("worse reason"), "{log}");
    assert!(!log.contains("threading.py"), "{log}");
    // One failure is shown as it is.
    run.start_scripts.pop();
    let log = run.run("start_all()\n").failed(1);
    assert!(log.contains("\nMachineError: bad: "), "{log}");
}
