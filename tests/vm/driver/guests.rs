use super::Run;

#[test]
fn a_program_that_draws_on_the_console() {
    let script = r"
machine.succeed('dmesg -n 1')
draw = r'\033[2J\033[3;5HFirst\033[2;5H\033[7mMenu\033[m'
machine.succeed(f'printf \'{draw}\' >/dev/ttyS0')
machine.wait_for_console_screen(r'^ {4}Menu\n(?= +First)')
assert '    Menu\n    First\n' in machine.console_screen(), machine.console_screen()
try:
    machine.wait_for_console_screen('Second', timeout=1)
except AssertionError as error:
    assert '    First' in str(error) and '\\x1b' not in str(error), error
else:
    raise Exception('no time-out')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn a_machine_without_a_shell() {
    let script = r"
from test_driver.machine import MachineError
vm = create_machine('qemu-system-x86_64 -boot strict=on', name='bios', shell=False)
vm.start()
try:
    vm.succeed('true')
except MachineError as error:
    assert 'this machine has no root shell' in str(error), error
else:
    raise Exception('a shell')
vm.wait_for_console_screen('No bootable device')
";
    Run::new(&[]).run(script).passed();
}
