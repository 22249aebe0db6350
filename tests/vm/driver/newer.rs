use super::{Ended, Run};

#[test]
fn wait_for_shutdown_has_a_time_limit() {
    let script = "\
import subprocess
machine.wait_for_shutdown(timeout=1)
machine.start()
for wait in machine.wait_for_shutdown, machine.process.wait:
    try:
        wait(timeout=0.1)
    except subprocess.TimeoutExpired as error:
        assert error.timeout == 0.1, error
        assert isinstance(error, AssertionError) and isinstance(error, TimeoutError)
        assert 'machine: waited' in str(error) and 'QEMU still runs' in str(error), error
    else:
        raise Exception('it was off')
assert machine.booted
machine.send_monitor_command('quit')
machine.wait_for_shutdown(timeout=60)
assert not machine.booted
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn a_condition_that_breaks_is_a_polling_condition_error() {
    let script = "\
from test_driver.errors import RequestedAssertionFailed
from test_driver.polling_condition import PollingConditionError

@polling_condition(interval=0)
def never():
    raise ValueError('the reason')

for expected in PollingConditionError, RequestedAssertionFailed, AssertionError:
    try:
        with never:
            machine.succeed('true')
    except expected as error:
        assert str(error) == 'does not hold: never', error
        assert isinstance(error.__cause__, ValueError)
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn time_outs_and_early_events_have_the_exceptions_of_both_drivers() {
    let script = "\
from test_driver.errors import MachineError, RequestedAssertionFailed
for expected in RuntimeError, MachineError:
    try:
        machine.wait_for_qmp_event(lambda _: True, timeout=1)
    except expected as error:
        assert 'start' in str(error), error
    else:
        raise Exception('there was an event')
machine.start()
for expected in TimeoutError, RequestedAssertionFailed, AssertionError:
    try:
        machine.wait_for_qmp_event(lambda _: False, timeout=0.1)
    except expected as error:
        assert 'waited' in str(error), error
    else:
        raise Exception('there was an event')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn full_console_log_is_a_list_of_lines() {
    let script = "\
assert machine.full_console_log == []
machine.succeed('dmesg -n 1; printf \"one \\\\ntwo\\\\r\\\\n\\\\nthree\\\\n\" >/dev/console')
machine.wait_for_console_text('three')
lines = machine.full_console_log
at = lines.index('one')
assert lines[at : at + 4] == ['one', 'two', '', 'three'], lines
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn shell_and_monitor_receive_like_sockets() {
    let script = "\
import io
machine.start()
machine.monitor.send(b'info status\\n')
assert machine.monitor.recv(9) == b'VM status'
assert machine.monitor.recv(1024) == b': running\\n(qemu) '
machine.monitor.sendall(b'info status\\n')
assert machine.wait_for_monitor_prompt() == 'VM status: running\\n(qemu) '
assert machine.monitor.recv(1024) == b'(qemu) '

machine.shell.send(b'echo first; printf \"\\\\377\\\\0\"\\n')
received = b''
while len(received) < 8:
    received += machine.shell.recv(5)
assert received == b'first\\n\\xff\\0', received
machine.shell.sendall(b'sleep 0.3; echo second\\n')
machine.succeed('true')
assert machine.shell.recv(1024) == b'second\\n'
for connection in machine.shell, machine.monitor:
    try:
        connection.fileno()
    except io.UnsupportedOperation:
        pass
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn machines_are_constructed_as_by_the_nixos_test_driver() {
    let run = Run::booting(&[("machine", "minimal")]);
    let script = "\
from test_driver.machine import QemuMachine, QemuStartCommand
calls = []
vm = QemuMachine(
    out_dir=driver.out_dir,
    tmp_dir=driver.tmp_dir,
    start_command=machine.start_command._cmd,
    logger=log,
    name='another',
    keep_machine_state=True,
    callbacks=[lambda: calls.append(1)],
)
assert vm.name == 'another' and vm.keep_machine_state and vm.logger is log
assert isinstance(vm.start_command, QemuStartCommand)
assert vm.succeed('echo here') == 'here\\n' and calls
vm.release()
named = QemuMachine(driver.out_dir, driver.tmp_dir, 'run-by-script-vm', log)
assert named.name == 'by-script'
";
    run.run(script).passed();
}

/// For annotations, and for scripts that build on the driver's parts.
#[test]
fn modules_and_classes_of_the_nixos_test_driver_can_be_imported() {
    let run = Run::booting(&[("machine", "console")]);
    let script = "\
from test_driver.driver import (
    Driver,
    DriverConfiguration,
    VHostDeviceVsock,
    VsockPair,
    get_tmp_dir,
    load_driver_configuration,
    pythonize_name,
)
from test_driver.duration import Duration, as_seconds, as_timedelta
from test_driver.errors import MachineError, RequestedAssertionFailed
from test_driver.logger import (
    AbstractLogger,
    CompositeLogger,
    JunitXMLLogger,
    LogLevel,
    TerminalLogger,
    XMLLogger,
)
from test_driver.machine import (
    BaseMachine,
    CHAR_TO_KEY,
    NspawnMachine,
    QemuMachine,
    QemuStartCommand,
    make_command,
    retry,
)
from test_driver.machine.ocr import (
    perform_ocr_on_screenshot,
    perform_ocr_variants_on_screenshot,
)
from test_driver.machine.qmp import QMPAPIError, QMPSession
from test_driver.polling_condition import PollingCondition, PollingConditionError
from test_driver.qmp import QMPSession
from test_driver.vlan import VLan
from datetime import timedelta

assert isinstance(log, AbstractLogger) and isinstance(machine, BaseMachine)
assert as_timedelta(90) == timedelta(minutes=1.5) and as_seconds(timedelta(minutes=1)) == 60
assert isinstance(machine, QemuMachine) and not isinstance(machine, NspawnMachine)

machine.succeed('echo Words on the screen >/dev/tty1')
machine.wait_for_text('Words on the screen')
path = machine.state_dir / 'screen.ppm'
machine.send_monitor_command(f'screendump {path}')
assert 'Words' in perform_ocr_on_screenshot(path)
assert 'Words' in perform_ocr_variants_on_screenshot(path)[0]
";
    let script = run.script(script);
    Ended::of(run.command().arg(script)).passed();
}

/// With the parameters of the NixOS test driver.
#[test]
fn the_classes_of_logs_log() {
    let script = "\
from test_driver.logger import (
    AbstractLogger,
    CompositeLogger,
    JunitXMLLogger,
    TerminalLogger,
    XMLLogger,
)
for logger in (
    CompositeLogger([]),
    CompositeLogger([TerminalLogger(), XMLLogger('log.xml')]),
    JunitXMLLogger(driver.out_dir / 'junit.xml'),
):
    logger.info('an info of another')
    assert isinstance(logger, AbstractLogger) and type(logger) is not AbstractLogger
";
    let ended = Run::booting(&[]).run(script);
    let infos = ended.stderr.matches("an info of another").count();
    assert_eq!(infos, 3, "{}", ended.stderr);
    ended.passed();
}

/// Scripts of graphical tests compare it.
#[test]
fn a_screenshot_exists_while_it_is_used() {
    let script = "\
with machine._managed_screenshot() as screenshot:
    assert screenshot.read_bytes().startswith(b'P6')
assert not screenshot.exists()
";
    let run = Run::new(&[("machine", "minimal")]);
    run.run(&format!("machine.start()\n{script}")).passed();
}
