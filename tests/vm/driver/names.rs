use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use vm_tests::repository;

use super::Run;

/// The methods of machines with their parameters.
const METHODS: &str = "\
allow_trouble(self, name)
block(self)
cleanup_statedir(self)
connect(self)
console_interact(self)
console_screen(self)
copy_from_host(self, source, target)
copy_from_host_via_shell(self, source, target)
copy_from_machine(self, source, target_dir='')
copy_from_vm(self, source, target_dir='')
crash(self)
create_efi_vars(self)
create_startcommand(args)
dump_efi_vars(self)
dump_tty_contents(self, tty)
execute(self, command, check_return=True, check_output=True, timeout=900)
fail(self, *commands, timeout=None)
forward_port(self, host_port=8080, guest_port=80)
get_console_log(self)
get_screen_text(self)
get_screen_text_variants(self)
get_tty_text(self, tty)
get_unit_info(self, unit, user=None)
get_unit_property(self, unit, property, user=None)
get_window_names(self)
is_up(self)
log(self, msg)
log_serial(self, msg)
nested(self, msg, attrs={})
read_efi_vars(self)
reboot(self)
release(self)
require_unit_state(self, unit, require_state='active')
run_callbacks(self)
screenshot(self, filename)
send_chars(self, chars, delay=0.01)
send_console(self, chars)
send_key(self, key, delay=0.01, log=True)
send_monitor_command(self, command)
shell_interact(self, address=None)
shutdown(self)
sleep(self, secs=None, duration=None)
ssh_backdoor_command(self, index=None)
start(self, allow_reboot=False)
start_job(self, jobname, user=None)
stop_job(self, jobname, user=None)
succeed(self, *commands, timeout=None)
switch_root(self)
systemctl(self, q, user=None)
trouble(self)
unblock(self)
wait_for_closed_port(self, port, addr='localhost', timeout=900)
wait_for_cloud_init(self, timeout=900)
wait_for_console_screen(self, regex, timeout=900)
wait_for_console_text(self, regex, timeout=None)
wait_for_file(self, filename, timeout=900)
wait_for_job(self, jobname)
wait_for_monitor_prompt(self)
wait_for_open_port(self, port, addr='localhost', timeout=900)
wait_for_open_unix_socket(self, addr, is_datagram=False, timeout=900)
wait_for_qmp_event(self, event_filter, timeout=600)
wait_for_shutdown(self, timeout=None)
wait_for_text(self, regex, timeout=900)
wait_for_unit(self, unit, user=None, timeout=900)
wait_for_window(self, regexp, timeout=900)
wait_for_x(self, timeout=900)
wait_until_fails(self, command, timeout=900)
wait_until_succeeds(self, command, timeout=900)
wait_until_tty_matches(self, tty, regexp, timeout=900)
watch_console(self, name, regex, ends=False)
write_efi_vars(self, add)
";

/// The other attributes of machines.
const PROPERTIES: &str = "booted callbacks connected efi_vars efi_vars_path full_console_log keep_machine_state keep_vm_state \
    last_lines logger monitor monitor_path name out_dir pid process qmp_client serial_thread shared_dir shell shell_path \
    start_command state_dir tmp_dir vsock_guest vsock_host";

/// The globals of scripts.
const SCOPE: &str = "BaseMachine Machine NspawnMachine QemuMachine a_machine create_machine debug \
    driver dump_machine_ssh join_all log machine machines machines_nspawn machines_qemu os polling_condition retry run_tests serial_stdout_off serial_stdout_on start_all subtest t \
    test_script vlan7 vlans";

#[test]
fn methods_and_parameters_are_complete() {
    let script = "\
import inspect
for name, method in inspect.getmembers(Machine):
    if name.startswith('_') or isinstance(method, property):
        continue
    signature = inspect.signature(getattr(Machine, name))
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    print(name + str(signature.replace(parameters=bare, return_annotation=signature.empty)))
";
    assert_eq!(Run::new(&[]).run(script).passed(), METHODS);
}

#[test]
fn properties_and_globals_are_complete() {
    let run = Run::booting(&[("a-machine", "minimal")]);
    let script = run.script(&format!(
        "\
known = set(globals()) - {{'__name__', '__file__', '__builtins__'}}
print(*sorted(known))
for name in '{PROPERTIES}'.split():
    getattr(machine, name)
assert machine is a_machine and machine.name == 'a-machine'
assert machine.pid is None and machine.process is None and not machine.booted
assert machines is driver.machines and driver.logger is log
assert machines_qemu is driver.machines_qemu and machines_qemu == machines
assert machines_nspawn is driver.machines_nspawn and machines_nspawn == []
assert not driver.interactive and not driver.keep_machine_state and driver.debug is debug
assert list(driver.config.vms) == ['a-machine'] and driver.config.vlans == [7]
assert driver.vhost_vsock is None and driver.race_timer and driver.tests.startswith('known')
from test_driver.driver import DriverConfiguration
from test_driver.debug import DebugAbstract, DebugNop
from test_driver.logger import AbstractLogger, CompositeLogger
from test_driver.machine import NspawnMachine as imported
def annotated(m: NspawnMachine, l: AbstractLogger) -> DebugAbstract: ...
debug.breakpoint()
from test_driver.machine import CHAR_TO_KEY, QemuMachine
assert CHAR_TO_KEY['_'] == 'shift-0x0C' and CHAR_TO_KEY['A'] == 'shift-a'
assert len(CHAR_TO_KEY) == 60 and isinstance(machine, QemuMachine)
calls = []
retry(lambda last: calls.append(last) or last, timeout_seconds=0)
assert calls == [True]
"
    ));
    let mut command = run.command();
    let passed = super::Ended::of(command.args(["--vlans", "7", "--"]).arg(script)).passed();
    let scope: Vec<&str> = SCOPE.split_whitespace().collect();
    assert_eq!(passed, scope.join(" ") + "\n");
}

/// The stubs of the native module, which type checkers read, describe what there is.
#[test]
fn the_stubs_match_the_native_module() {
    let stubs = repository().join("driver/python/_vmwright/__init__.pyi");
    let script = format!(
        "\
import ast, inspect, pathlib
import _vmwright

def public(names):
    return {{name for name in names if not name.startswith('_')}}

def parameters(function):
    return [part.arg for part in function.args.args if part.arg != 'self']

def compare(stubs, native):
    names = set()
    for stub in stubs:
        if isinstance(stub, ast.AnnAssign):
            names.add(stub.target.id)
        elif isinstance(stub, (ast.FunctionDef, ast.ClassDef)):
            names.add(stub.name)
            found = getattr(native, stub.name)
            if isinstance(stub, ast.ClassDef):
                compare(stub.body, found)
            elif stub.name != '__init__':
                there = [name for name in inspect.signature(found).parameters if name != 'self']
                assert there == parameters(stub), (stub.name, there)
    assert public(names) == public(dir(native)), public(names) ^ public(dir(native))

compare(ast.parse(pathlib.Path({stubs:?}).read_text()).body, _vmwright)
"
    );
    Run::new(&[]).run(&script).passed();
}

#[test]
fn operations_return_the_documented_values() {
    let script = "\
status, output = machine.execute('echo out; exit 3')
assert (status, output) == (3, 'out\\n')
assert machine.execute('echo out', check_return=False) == (-1, 'out\\n')
assert machine.execute('sleep 1000', check_output=False) == (-2, '')
assert machine.execute('sleep 1000', timeout=0.2) == (124, '')
assert machine.succeed('echo a', 'echo b') == 'a\\nb\\n' and machine.succeed() == ''
assert machine.fail('echo a; false') == 'a\\n'
assert machine.wait_until_succeeds('echo now') == 'now\\n'
assert machine.send_monitor_command('info status') == 'VM status: running\\n'
assert machine.is_up() and machine.connected and machine.process.poll() is None

machine.succeed('dmesg -n 1; echo the number 42 >/dev/console')
machine.wait_for_console_text(r'(?P<a>n)umber (?=42)(?!43)')
assert 'the number 42' in machine.get_console_log()

event = []
machine.send_monitor_command('stop')
stopped = machine.wait_for_qmp_event(lambda e: event.append(e) or e['event'] == 'STOP', timeout=60)
assert stopped is not None and stopped in event and 'timestamp' in stopped
machine.send_monitor_command('cont')

machine.succeed('cat </dev/tty1 >/dev/null &')
machine.send_chars('typed 42\\n')
machine.wait_until_tty_matches('1', r'(?<=typed )(4)2')
assert isinstance(machine.get_screen_text_variants(), list)
machine.wait_for_text(r'(?P<how>typed) (?!43)')
machine.screenshot('shot')
assert (machine.out_dir / 'shot.png').exists()

machine.shell.send(b'echo by the shell >/tmp/sent\\n')
machine.wait_for_file('/tmp/sent')
machine.copy_from_vm('/tmp/sent', 'from')
assert (machine.out_dir / 'from' / 'sent').read_text() == 'by the shell\\n'

assert machine.execute('poweroff', check_return=False)[0] == -1
machine.wait_for_shutdown()
assert machine.pid is None and not machine.booted and not machine.connected
";
    Run::new(&[("machine", "console")]).run(script).passed();
}

#[test]
fn operations_accept_the_documented_arguments() {
    let script = "\
import re, socket
machine.succeed('dmesg -n 1; echo Once again >/dev/console')
machine.wait_for_console_text(re.compile('ONCE (?=again)', re.IGNORECASE))
machine.succeed('echo Once again >/dev/tty1')
machine.wait_until_tty_matches('1', re.compile('ONCE', re.IGNORECASE))

machine.succeed('nc -l -p 1025 >/dev/null </dev/null &')
machine.wait_for_open_port('1025')
machine.wait_for_closed_port('1024')
with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    host_port = free.getsockname()[1]
machine.forward_port(str(host_port), '80')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

/// As in the NixOS test driver, which runs `test -e NAME`.
#[test]
fn file_names_are_expanded() {
    let script = r#"
machine.succeed("touch ~/mine '/tmp/a file' /tmp/it\\'s")
for name in [
    '~/mine', '~root/mine', '/tmp/a*file', '~/m*', '$HOME/mine', '/$(echo root)/mine',
    "'/tmp/a file'", '"/tmp/a file"', '/tmp/a\\ file',
    # The NixOS test driver does not find these.
    '/tmp/a file', "/tmp/it's",
]:
    machine.wait_for_file(name, timeout=60)
for name in '/tmp/no*', "'~/mine'", '$UNSET/tmp', "/tmp/that's", '':
    try:
        machine.wait_for_file(name, timeout=0.1)
    except AssertionError:
        pass
    else:
        raise Exception(f'{name} was found')
"#;
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn execute_raises_the_error_of_a_failed_start() {
    let script = "\
bad = create_machine('exit 3', name='bad')
for options in [dict(check_return=False), dict(check_output=False), dict()]:
    try:
        bad.execute('true', **options)
    except Exception as error:
        print(error)
";
    let output = Run::new(&[]).run(script).passed();
    assert_eq!(
        output.matches("QEMU has ended (exit status: 3)").count(),
        3,
        "{output}"
    );
}

/// As described in the NixOS manual, with a listening program such as `socat`.
#[test]
fn shell_interact_connects_to_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let user = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"echo $((6 * 7)) at an address; exit\r")
            .unwrap();
        let mut output = String::new();
        stream.read_to_string(&mut output).unwrap();
        output
    });
    let script = format!(
        "\
machine.shell_interact('tcp:{address}')
print(machine.succeed('echo the test goes on'))
"
    );
    Run::new(&[("machine", "minimal")]).run(&script).passed();
    let output = user.join().unwrap();
    assert!(output.contains("42 at an address"), "{output}");
}
