//! The program `driver`: Python test scripts.

/// The examples, as anybody would run them.
mod examples;
/// The report for CI systems.
mod junit;
/// What is shown of machines.
mod log;
/// Command lines and scripts that are wrong.
mod mistakes;
/// The names that scripts know, and what they take.
mod names;
/// The same script under the reference class.
mod parity;
/// The prompt.
mod prompt;
/// A run of it.
mod run;
/// Reading screens without Tesseract's data.
mod screen;
/// Ctrl-C, SIGTERM, time-outs.
mod signals;
/// What scripts do with a machine beyond calling it.
mod state;
/// Going on where a template was saved.
mod templates;
/// Sessions on a person's terminal.
mod terminal;
/// Trouble on the console that a script wants, or knows more of.
mod trouble;

pub(super) use self::run::{Ended, Run};
use vm_tests::start_script;

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
    let said = ended.stderr.clone();
    ended.passed();
    assert!(said.contains("Exception in thread helper:\n"), "{said}");
    assert!(said.contains("bad: "), "{said}");
    assert!(!said.contains("<test_driver"), "{said}");
}

/// As in a sandbox: text is UTF-8 all the same.
#[test]
fn a_script_without_a_locale() {
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
    let said = run.run(script).failed(1);
    assert!(!said.contains("unittest"), "{said}");
    let (story, _) = said.split_once("\nscript failed in ").unwrap();
    let (first, second) = story.split_once("\nDuring handling").unwrap();
    let last_two = |story: &str| {
        let mut lines: Vec<String> = story.trim_end().lines().map(str::to_owned).collect();
        lines.split_off(lines.len() - 2).join("\n")
    };
    let lines = "    t.assertEqual(1, 2)\nRequestedAssertionFailed: 1 != 2";
    assert_eq!(last_two(first), lines, "{said}");
    let lines = "    t.assertIn(3, [])\nRequestedAssertionFailed: 3 not found in []";
    assert_eq!(last_two(second), lines, "{said}");
    assert!(first.contains("script.py\", line 3, in demand"), "{said}");
}

#[test]
fn errors_that_scripts_log() {
    let run = Run::new(&[]);
    let script = "\
log.set_log_level(3)
log.debug('a detail')
log.info('no news')
log.warning('a warning')
log.log_test_error('what went wrong')
print('it goes on', flush=True)
log.error('the end')
print('it is over')
";
    let ended = run.run(script);
    assert_eq!(ended.stdout, "it goes on\n");
    let said = ended.failed(1);
    for told in ["a warning\n", "what went wrong\n", "the end\n"] {
        assert!(said.contains(told), "no {told:?} in {said}");
    }
    assert!(
        !said.contains("a detail") && !said.contains("no news"),
        "{said}"
    );
    assert!(!said.contains("Traceback"), "{said}");
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
    (lambda: machine.wait_for_open_port('http'), ValueError),
    (lambda: machine.shell_interact('nowhere'), ValueError),
    (lambda: machine.shell_interact('unix:/no/such/socket'), OSError),
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
    # Each waits in its guest until the other has come.
    vm.succeed('true')
    met[vm.name].set()
    assert met[peer.name].wait(120), peer
    stories.append(f'{vm.name} met {peer.name}')

stories = []
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
print(*sorted(stories), sep='\\n')
";
    let said = run.run(script).passed();
    assert_eq!(said, "one met other\nother met one\n");
}

#[test]
fn conditions_and_consoles_and_the_end() {
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
fn machines_made_by_the_script() {
    let run = Run::booting(&[]);
    let minimal = start_script("minimal");
    let script = format!(
        "\
minimal = {minimal:?}
by_script = create_machine(minimal)
by_line = create_machine('VM_NODES= ' + minimal + ' -smbios type=1,serial=by-line', name='by-line')
of_old = create_machine({{'startCommand': minimal, 'name': 'of-old'}})
ad_hoc = create_machine({{'qemuBinary': minimal, 'qemuFlags': '-smbios type=1,serial=ad-hoc'}})
assert [vm.name for vm in (by_script, by_line, of_old)] == ['minimal', 'by-line', 'of-old']
for vm in by_script, of_old, ad_hoc:
    vm.start()
with open(f'/proc/{{ad_hoc.pid}}/cmdline') as file:
    assert 'type=1,serial=ad-hoc' in file.read()
assert ad_hoc.name == 'machine'
ad_hoc.release()
assert by_line.succeed('cat /sys/class/dmi/id/product_serial') == 'by-line\\n'
assert by_script.succeed('echo here') == of_old.succeed('echo here')
print(len({{vm.pid for vm in (by_script, by_line, of_old)}}), machines)
"
    );
    assert_eq!(run.run(&script).passed(), "3 []\n");
}
