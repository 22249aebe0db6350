use super::Run;

#[test]
fn a_script_can_allow_a_panic() {
    let script = "\
from test_driver.machine import MachineError
machine.allow_trouble('kernel panic')
machine.succeed('echo 0 >/proc/sys/kernel/panic')
try:
    machine.execute('echo c >/proc/sysrq-trigger', timeout=5)
except MachineError as error:
    assert 'kernel panic:' not in str(error), error
else:
    raise Exception('no panic')
machine.wait_for_console_text('end Kernel panic - not syncing')
# The panic does not end waits: this one times out.
try:
    machine.wait_for_console_text('never shown', timeout=1)
except AssertionError:
    pass
else:
    raise Exception('no time-out')
assert machine.trouble() == [], machine.trouble()
assert 'running' in machine.send_monitor_command('info status')
machine.crash()
assert machine.succeed('echo goes on') == 'goes on\\n'
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn a_script_can_add_trouble_patterns() {
    let script = "\
from test_driver.machine import MachineError
machine.watch_console('corruption', 'checksum mis?match')
machine.watch_console('the end', 'it is over', ends=True)
assert machine.trouble() == []
for disk in 'ab':
    machine.succeed(f'echo {disk}: checksum mismatch >/dev/ttyS0')
machine.wait_for_console_text('b: checksum mismatch\\n')
[trouble] = machine.trouble()
name, line, count = trouble
assert (name, count) == ('corruption', 2), trouble
assert trouble.line.endswith('a: checksum mismatch'), trouble
for operation, message in [
    (lambda: machine.allow_trouble('the weather'), 'kernel panic'),
    (lambda: machine.watch_console('weather', '('), 'unclosed group'),
    (lambda: machine.succeed('echo it is over >/dev/ttyS0; sleep 1000'), 'the end: it is over'),
]:
    try:
        operation()
    except MachineError as error:
        assert message in str(error), error
    else:
        raise Exception(message)
# A script that catches the error passes.
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}
