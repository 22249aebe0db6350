use super::{Ended, Run};

/// Runs a script that needs no machine, in unscaled time.
fn run_unscaled(script: &str) -> String {
    let run = Run::new(&[]);
    let mut command = run.command();
    command.env_remove("VM_TIMEOUT_SCALE");
    Ended::of(command.arg(run.script(script))).passed()
}

/// Operations that have a time limit, a delay, an interval or a duration, except those for
/// which systemd or a desktop is needed.
const EVERY_DURATION: &str = "\
from datetime import timedelta

second, minute, never = timedelta(seconds=1), timedelta(minutes=1), timedelta(seconds=0.1)
assert machine.execute('echo a', timeout=minute) == (0, 'a\\n')
assert machine.execute('sleep 1000', timeout=never) == (124, '')
assert machine.execute('sleep 0.3', timeout=timedelta()) == (0, '')
assert machine.succeed('echo a', timeout=minute) == 'a\\n'
assert machine.fail('false', timeout=minute) == ''
assert machine.wait_until_succeeds('echo a', timeout=minute) == 'a\\n'
machine.wait_until_fails('false', timeout=minute)
machine.sleep(timedelta(milliseconds=10))
machine.sleep(duration=timedelta(milliseconds=10))
machine.sleep(secs=timedelta(milliseconds=10))
machine.sleep(0.01)
machine.succeed('echo text >/tmp/file; nc -l -p 1025 >/dev/null </dev/null &')
machine.wait_for_file('/tmp/file', timeout=minute)
machine.wait_for_file('/tmp/fil?', minute)
machine.wait_for_open_port(1025, timeout=minute)
machine.wait_for_closed_port(1024, timeout=minute)
machine.succeed('dmesg -n 1; echo shown on it >/dev/console; echo shown on it >/dev/tty1')
machine.wait_for_console_text('shown on it', timeout=minute)
machine.wait_until_tty_matches('1', 'shown on it', timeout=minute)
machine.wait_for_text('shown on it', timeout=minute)
machine.send_key('a', delay=timedelta(milliseconds=5))
machine.send_key('a', delay=None)
machine.send_chars('b', timedelta(milliseconds=5))
machine.send_monitor_command('stop')
machine.wait_for_qmp_event(lambda event: event['event'] == 'STOP', timeout=minute)
machine.send_monitor_command('cont')
retry(lambda _: True, minute)
retry(lambda _: True, timeout=minute)
retry(lambda _: True, timeout_seconds=minute)

@polling_condition(interval=timedelta(minutes=1))
def holds():
    pass

@polling_condition(seconds_interval=second, description='never')
def fails():
    return False

assert holds.condition.seconds_interval == 60
assert holds.condition.interval == timedelta(minutes=1)
holds.wait(minute)
holds.wait(timeout_seconds=minute)
holds.wait(timeout=minute)

limited = {
    'wait_until_succeeds': lambda: machine.wait_until_succeeds('false', timeout=never),
    'wait_for_file': lambda: machine.wait_for_file('/tmp/nothing', timeout=never),
    'wait_for_open_port': lambda: machine.wait_for_open_port(1024, timeout=never),
    'wait_for_open_unix_socket': lambda: machine.wait_for_open_unix_socket('/tmp/s', timeout=never),
    'wait_for_console_text': lambda: machine.wait_for_console_text('never', timeout=never),
    'wait_until_tty_matches': lambda: machine.wait_until_tty_matches('1', 'never', never),
    'wait_for_text': lambda: machine.wait_for_text('never', timeout=never),
    'wait_for_qmp_event': lambda: machine.wait_for_qmp_event(lambda _: False, never),
    'retry': lambda: retry(lambda _: False, timeout=never),
    'Poll.wait': lambda: fails.wait(timeout=never),
    'wait_for_shutdown': lambda: machine.wait_for_shutdown(timeout=never),
    'Process.wait': lambda: machine.process.wait(never),
}
for name, wait in limited.items():
    try:
        wait()
    except AssertionError as error:
        assert str(error), name
    else:
        raise Exception(f'{name} did not time out')
machine.shutdown()
machine.wait_for_shutdown(timeout=second)
";

#[test]
fn a_timedelta_is_accepted_everywhere() {
    Run::new(&[("machine", "console")])
        .run(EVERY_DURATION)
        .passed();
}

#[test]
fn what_is_no_duration_is_a_type_error() {
    let script = "\
machine.start()
for wrong in True, False, 'soon', [1], b'1':
    for operation in [
        lambda: machine.execute('true', timeout=wrong),
        lambda: machine.succeed('true', timeout=wrong),
        lambda: machine.fail('false', timeout=wrong),
        lambda: machine.wait_for_unit('a.service', timeout=wrong),
        lambda: machine.wait_for_shutdown(timeout=wrong),
        lambda: machine.sleep(wrong),
        lambda: machine.send_key('a', delay=wrong),
        lambda: machine.send_chars('a', wrong),
        lambda: retry(lambda _: True, timeout=wrong),
        lambda: polling_condition(lambda: True, interval=wrong),
        lambda: polling_condition(lambda: True).wait(wrong),
    ]:
        try:
            operation()
        except TypeError as error:
            assert repr(wrong) in str(error), error
        else:
            raise Exception(f'{wrong!r} was taken for a duration')
from datetime import timedelta
for invalid in -1, timedelta(seconds=-1), float('nan'):
    for operation in [
        lambda: machine.sleep(invalid),
        lambda: machine.send_key('a', delay=invalid),
        lambda: retry(lambda _: True, timeout=invalid),
        lambda: polling_condition(lambda: True, interval=invalid),
        lambda: polling_condition(lambda: True).wait(invalid),
    ]:
        try:
            operation()
        except ValueError as error:
            assert str(error).startswith('invalid duration: '), error
        else:
            raise Exception(f'{invalid!r} was taken for a duration')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn two_names_of_one_argument_are_a_type_error() {
    let output = run_unscaled(
        "\
from datetime import timedelta
from test_driver.polling_condition import PollingCondition
vm = create_machine('true', name='vm')
minute, hour = timedelta(minutes=1), timedelta(hours=1)
assert PollingCondition(print, log).interval == timedelta(seconds=2)
assert PollingCondition(print, log, 60, 'text').interval == minute
assert PollingCondition(print, log, minute).seconds_interval == 60
assert PollingCondition(print, log, interval=hour).interval == hour
assert PollingCondition(print, log, interval=float('inf')).interval == timedelta.max
poll = polling_condition(lambda: True)
for operation in [
    lambda: retry(lambda _: True, timeout_seconds=1, timeout=1),
    lambda: poll.wait(timeout_seconds=1, timeout=1),
    lambda: polling_condition(lambda: True, seconds_interval=1, interval=1),
    lambda: PollingCondition(print, log, seconds_interval=1, interval=1),
    lambda: vm.sleep(secs=1, duration=1),
    lambda: vm.sleep(),
]:
    try:
        operation()
    except TypeError as error:
        print(error)
",
    );
    let both = |function, new, old| {
        format!("{function}() got both '{new}' and '{old}' arguments. Pass only '{new}'\n")
    };
    let expected = [
        both("retry", "timeout", "timeout_seconds"),
        both("wait", "timeout", "timeout_seconds"),
        both("polling_condition", "interval", "seconds_interval"),
        both("PollingCondition", "interval", "seconds_interval"),
        both("sleep", "duration", "secs"),
        "sleep() needs a duration\n".to_owned(),
    ];
    assert_eq!(output, expected.concat());
}

/// A clock that only `time.sleep` advances.
const CLOCK: &str = "\
import time
now = 0.0
def sleep(seconds):
    global now
    now += seconds
time.monotonic, time.sleep = lambda: now, sleep
";

#[test]
fn retry_waits_fifteen_minutes_by_default() {
    let script = "\
for limit in {}, {'timeout': None}, {'timeout_seconds': None}:
    started, calls = now, []
    try:
        retry(lambda last: calls.append(last), **limit)
    except AssertionError as error:
        assert 'timed out after 900 seconds' in str(error), error
    assert calls[-1] and not any(calls[:-1]), calls
    assert 900 <= now - started < 901, now
retry(lambda _: True, timeout=None)
";
    run_unscaled(&format!("{CLOCK}{script}"));
}

#[test]
fn pauses_of_retry_are_in_proportion_to_its_checks() {
    let script = "\
def pauses(cost):
    begins = []

    def third(_):
        begins.append(now)
        sleep(cost)
        return len(begins) == 3

    retry(third)
    return [round(later - begin - cost, 3) for begin, later in zip(begins, begins[1:])]

for cost in 0, 0.1, 0.5:
    print(cost, pauses(cost))
";
    let output = run_unscaled(&format!("{CLOCK}{script}"));
    assert_eq!(output, "0 [0.05, 0.05]\n0.1 [0.6, 0.6]\n0.5 [1.0, 1.0]\n");
}

#[test]
fn a_wait_for_a_condition_keeps_its_interval() {
    let script = "\
from datetime import timedelta
checks = []

def never():
    checks.append(now)
    return False

def fails_after(limit, interval):
    checks.clear()
    began = now
    try:
        polling_condition(never, interval=interval).wait(limit)
    except AssertionError as error:
        print(error, [check - began for check in checks])

fails_after(12, 5)
fails_after(timedelta(seconds=12), timedelta(seconds=5))
fails_after(10, 5)
fails_after(3, 5)
fails_after(0, 5)
polling_condition(lambda: now > 20).wait()
# Without an interval, as often as by `retry`.
checks.clear()
try:
    polling_condition(never).wait(1)
except AssertionError as error:
    print(error, len(checks) >= 19)
";
    let output = run_unscaled(&format!("{CLOCK}{script}"));
    assert_eq!(
        output,
        "\
action timed out after 12 seconds [0.0, 5.0, 12.0]
action timed out after 12 seconds [0.0, 5.0, 12.0]
action timed out after 10 seconds [0.0, 5.0, 10.0]
action timed out after 3 seconds [0.0, 3.0]
action timed out after 0 seconds [0.0]
action timed out after 1 seconds True
"
    );
}
