//! The program `driver`: Python test scripts.

/// `assert` statements that fail.
mod assertions;
/// Containers of scripts.
mod containers;
/// The debugger of scripts.
mod debugger;
/// Time limits, delays and intervals.
mod durations;
/// The variables of EFI firmware.
mod efi;
/// The examples in `driver/examples`.
mod examples;
/// Guests that were not made for tests.
mod guests;
/// The report for CI systems.
mod junit;
/// Escaping in the log.
mod log;
/// Invalid command lines and scripts.
mod mistakes;
/// The methods, properties and globals of scripts.
mod names;
/// Names, arguments and exceptions of newer NixOS test drivers.
mod newer;
/// The Nix files.
mod nix;
/// The same script with the reference driver.
mod parity;
/// The interactive prompt.
mod prompt;
/// QEMU's machine protocol.
mod qmp;
/// Runs of the driver.
mod run;
/// Reading screens without Tesseract's language data.
mod screen;
/// Ctrl-C, SIGTERM, time-outs.
mod signals;
/// The ways to start the driver: configurations, options, variables.
mod start;
/// The state of machines, which scripts may read and assign.
mod state;
/// Machines that continue from a template.
mod templates;
/// Interactive sessions on a terminal.
pub(crate) mod terminal;
/// Threads of scripts.
mod threads;
/// Trouble on the console that a script allows or adds.
mod trouble;
/// The SSH backdoor through virtual sockets.
mod vsock;

pub(super) use self::run::{Ended, Run};
use vm_tests::start_script;

#[test]
fn a_script_that_fails_shows_its_own_traceback() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "def demand():\n    machine.succeed('echo a reason; false')\n\ndemand()\n";
    let log = run.run(script).failed(1);
    let (_, traceback) = log
        .split_once("Traceback (most recent call last):\n")
        .unwrap();
    let lines: Vec<&str> = traceback.lines().collect();
    assert!(
        lines[0].contains("script.py\", line 4, in <module>"),
        "{traceback}"
    );
    for part in [
        "script.py\", line 2, in demand",
        "RequestedAssertionFailed: machine: command `echo a reason; false` failed",
        "    a reason",
    ] {
        assert!(traceback.contains(part), "no {part:?} in {traceback}");
    }
    assert!(!traceback.contains("test_driver"), "{traceback}");
}

#[test]
fn a_thread_that_fails_shows_its_own_traceback() {
    let run = Run::new(&[]);
    let script = "\
import threading
vm = create_machine('exit 3', name='bad')
thread = threading.Thread(target=vm.succeed, args=['true'], name='helper')
thread.start()
thread.join()
";
    let ended = run.run(script);
    let log = ended.stderr.clone();
    ended.passed();
    assert!(log.contains("Exception in thread helper:\n"), "{log}");
    assert!(log.contains("bad: "), "{log}");
    assert!(!log.contains("<test_driver"), "{log}");
}

/// Sandboxes often have no locale.
#[test]
fn text_is_utf8_without_a_locale() {
    let run = Run::new(&[]);
    let script = run.script("print('é ✔')\nopen('file', 'w').write('é')\n");
    for locale in ["", "C", "no_SUCH"] {
        let mut command = run.command();
        command
            .current_dir(run.out())
            .env_remove("LANG")
            .env_remove("LC_CTYPE")
            .env("LC_ALL", locale);
        assert_eq!(
            Ended::of(command.arg(&script)).passed(),
            "é ✔\n",
            "{locale}"
        );
    }
}

#[test]
fn a_traceback_ends_in_the_scripts_line() {
    let run = Run::new(&[]);
    let script = "\
def demand():
    with subtest('equal'):
        t.assertEqual(1, 2)

try:
    demand()
except AssertionError:
    t.assertIn(3, [])
";
    let log = run.run(script).failed(1);
    assert!(!log.contains("unittest"), "{log}");
    let (tracebacks, _) = log.split_once("\nscript failed in ").unwrap();
    let (first, second) = tracebacks.split_once("\nDuring handling").unwrap();
    let last_two = |traceback: &str| {
        let mut lines: Vec<String> = traceback.trim_end().lines().map(str::to_owned).collect();
        lines.split_off(lines.len() - 2).join("\n")
    };
    let lines = "    t.assertEqual(1, 2)\nRequestedAssertionFailed: 1 != 2";
    assert_eq!(last_two(first), lines, "{log}");
    let lines = "    t.assertIn(3, [])\nRequestedAssertionFailed: 3 not found in []";
    assert_eq!(last_two(second), lines, "{log}");
    assert!(first.contains("script.py\", line 3, in demand"), "{log}");
}

#[test]
fn a_logged_error_fails_the_script() {
    let run = Run::new(&[]);
    let script = "\
log.set_log_level(3)
log.debug('a detail')
log.info('an info')
log.warning('a warning')
log.log_test_error('what went wrong')
print('still running', flush=True)
log.error('the end')
print('not reached')
";
    let ended = run.run(script);
    assert_eq!(ended.stdout, "still running\n");
    let log = ended.failed(1);
    for shown in ["a warning\n", "what went wrong\n", "the end\n"] {
        assert!(log.contains(shown), "no {shown:?} in {log}");
    }
    for hidden in ["a detail", "an info", "Traceback"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

#[test]
fn errors_have_the_documented_exception_types() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
import re, sys
for operation, expected in [
    (lambda: machine.succeed('false'), AssertionError),
    (lambda: machine.wait_until_succeeds('false', timeout=0.1), AssertionError),
    (lambda: machine.wait_for_console_text('never', timeout=0.1), AssertionError),
    (lambda: t.assertEqual(1, 2), AssertionError),
    (lambda: machine.wait_for_console_text('('), re.error),
    (lambda: machine.send_key('no such key'), Exception),
    (lambda: machine.copy_from_host('/no/such/file', '/tmp'), Exception),
    (lambda: machine.wait_for_open_port(0), Exception),
    (lambda: machine.wait_until_succeeds('true', timeout=float('nan')), ValueError),
    (lambda: machine.wait_for_open_port('http'), ValueError),
    (lambda: machine.wait_for_closed_port(65536), ValueError),
    (lambda: machine.forward_port(-1, 80), ValueError),
    (lambda: machine.shell_interact('nowhere'), ValueError),
    (lambda: machine.shell_interact('unix:/no/such/socket'), OSError),
]:
    try:
        operation()
    except expected as error:
        assert not isinstance(error, KeyboardInterrupt), error
    else:
        raise Exception(f'{expected} was not raised')
sys.exit(7)
";
    run.run(script).failed(7);
    run.run("import sys; sys.exit('a message')").failed(1);
    run.run("import sys; sys.exit(256)").failed(1);
    run.run("import sys; sys.exit()").passed();
}

#[test]
fn threads_drive_machines_at_the_same_time() {
    let run = Run::booting(&[("one", "minimal"), ("other", "minimal")]);
    let script = "\
import threading
start_all()
met = {vm.name: threading.Event() for vm in machines}

def meet(vm, peer):
    # Each waits until the other has run a command.
    vm.succeed('true')
    met[vm.name].set()
    assert met[peer.name].wait(120), peer
    meetings.append(f'{vm.name} met {peer.name}')

meetings = []
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
print(*sorted(meetings), sep='\\n')
";
    let output = run.run(script).passed();
    assert_eq!(output, "one met other\nother met one\n");
}

#[test]
fn scripts_can_use_conditions_and_switch_consoles() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
@polling_condition(seconds_interval=0)
def the_file_is_there():
    machine.succeed('test -e /tmp/file')

@polling_condition(description='the end of time')
def never():
    return False

machine.succeed('touch /tmp/file')
with the_file_is_there:
    machine.succeed('true')
    try:
        # If it takes more than a second, it fails itself.
        machine.succeed('rm /tmp/file')
        machine.succeed('touch /tmp/file')
    except Exception as error:
        print(error)
machine.fail('test -e /tmp/file')
try:
    never.wait(timeout=0.2)
except Exception as error:
    print(error)
never.condition.description == 'the end of time' or print(never.condition.description)
log.log_serial('shown before', 'machine')
serial_stdout_off()
machine.succeed('echo not shown >/dev/console')
machine.wait_for_console_text('not shown\\n')
log.log_serial('nor is this', 'machine')
serial_stdout_on()
log.log_serial('shown after', 'machine')
machine.execute('poweroff', check_output=False)
join_all()
assert machine.process.returncode == 0
";
    let ended = run.run(script);
    for shown in ["machine # shown before\n", "machine # shown after\n"] {
        assert!(ended.stderr.contains(shown), "{}", ended.stderr);
    }
    for hidden in ["machine # not shown", "nor is this"] {
        assert!(!ended.stderr.contains(hidden), "{}", ended.stderr);
    }
    assert_eq!(
        ended.passed(),
        "does not hold: the_file_is_there\naction timed out after 0.2 seconds\n"
    );
}

#[test]
fn a_condition_is_checked_during_operations() {
    let script = "\
@polling_condition(seconds_interval=1)
def up():
    machine.succeed('test -e /tmp/up')

for operation in [
    lambda: machine.wait_for_console_text('never', timeout=600),
    lambda: machine.wait_for_file('/never'),
    lambda: machine.wait_until_succeeds('false'),
    lambda: machine.sleep(600),
    lambda: machine.succeed('sleep 6'),
]:
    machine.succeed('touch /tmp/up; (sleep 2; rm /tmp/up) >&2 &')
    try:
        with up:
            operation()
    except AssertionError as error:
        assert 'does not hold: up' in str(error), error
    else:
        raise AssertionError('it has ended')
machine.succeed('true')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn waits_check_conditions_only_if_there_are_any() {
    let script = "\
check = type(machine.callbacks[0])
check_conditions = check.__call__
checks = []

def count(self):
    checks.append(self)
    check_conditions(self)

check.__call__ = count
machine.succeed('(sleep 1; touch /tmp/file) >&2 &')
machine.wait_for_file('/tmp/file')
assert not checks, checks

@polling_condition
def holds():
    pass

with holds:
    machine.wait_for_file('/tmp/file')
assert checks
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn scripts_can_create_machines() {
    let run = Run::booting(&[]);
    let minimal = start_script("minimal");
    let script = format!(
        "\
minimal = {minimal:?}
by_script = create_machine(minimal)
by_line = create_machine('VM_NODES= ' + minimal + ' -smbios type=1,serial=by-line', name='by-line')
by_dict = create_machine({{'startCommand': minimal, 'name': 'by-dict'}})
ad_hoc = create_machine({{'qemuBinary': minimal, 'qemuFlags': '-smbios type=1,serial=ad-hoc'}})
assert [vm.name for vm in (by_script, by_line, by_dict)] == ['minimal', 'by-line', 'by-dict']
for vm in by_script, by_dict, ad_hoc:
    vm.start()
with open(f'/proc/{{ad_hoc.pid}}/cmdline') as file:
    assert 'type=1,serial=ad-hoc' in file.read()
assert ad_hoc.name == 'machine'
ad_hoc.release()
assert by_line.succeed('cat /sys/class/dmi/id/product_serial') == 'by-line\\n'
assert by_script.succeed('echo here') == by_dict.succeed('echo here')
print(len({{vm.pid for vm in (by_script, by_line, by_dict)}}), machines)
"
    );
    assert_eq!(run.run(&script).passed(), "3 []\n");
}
