use std::fs;

use vm_tests::{start_script, unpacked_kernel};

use super::start::configured;
use super::{Ended, Run};

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

/// GRUB's rescue CD.
const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

#[test]
fn images_and_a_kernel_on_the_command_line() {
    // A template would wait for a shell.
    let run = Run::booting(&[]);
    let script = run.script(&format!(
        r"
from test_driver.machine import MachineError
assert machines == [grub, other_disk, hosted] and other_disk.name == 'other-disk', machines
assert driver.config.vms['grub'].image.name == 'grub-rescue-cdrom.iso'
grub.start()
grub.wait_for_console_screen(r'\*GNU/Linux', timeout=120)
grub.crash()
created = create_machine(image='{RESCUE}', name='created', shell=False)
created.start()
created.wait_for_console_screen('GNU GRUB', timeout=120)
assert create_machine(image='{RESCUE}').name == 'grub-rescue-cdrom'
for arguments in [dict(), dict(start_command='true', image='{RESCUE}')]:
    try:
        create_machine(**arguments)
    except TypeError:
        pass
    else:
        raise Exception(arguments)
kernel = create_machine(kernel='{RESCUE}', name='no-kernel')
try:
    kernel.start()
except MachineError as error:
    assert '{RESCUE}' in str(error), error
else:
    raise Exception('it started')
assert hosted.succeed('id -u') == '0\n'
"
    ));
    let mut command = run.command();
    let image = |name: &str| format!("{name}={RESCUE}");
    command.args(["--image", &image("grub"), "--image", &image("other-disk")]);
    let kernel = unpacked_kernel();
    let kernel = kernel.path().join("boot/vmlinuz");
    command.arg("--kernel");
    command.arg(format!("hosted={}", kernel.display()));
    Ended::of(command.arg(script)).passed();
}

#[test]
#[ignore = "needs --all-guests"]
fn a_cloud_image_on_the_command_line() {
    let run = Run::booting(&[]);
    let script = run.script(
        "server.wait_for_cloud_init()\nassert server.succeed('id -u; hostname') == '0\\nserver\\n'\n",
    );
    let mut command = run.command();
    command.arg("--image");
    command.arg(format!("server={}", start_script("cloud").display()));
    Ended::of(command.arg(script)).passed();
}

#[test]
fn an_image_in_a_configuration() {
    let run = Run::new(&[]);
    let script = run.script("assert grub.start_command._native()['image'] == driver.config.vms['grub'].image.as_posix()\n");
    let config = |vm: &str| {
        let text = format!(
            r#"{{"vms": {{"grub": {vm}}}, "containers": {{}}, "vlans": [], "global_timeout": 60,
                "enable_ssh_backdoor": false, "test_script": {script:?}}}"#
        );
        let path = run.out().join("config.json");
        fs::write(&path, text).unwrap();
        configured(&run, &path)
    };
    let image = format!(r#"{{"image": {RESCUE:?}}}"#);
    Ended::of(&mut config(&image)).passed();
    for (vm, reason) in [
        (
            r#"{"imge": "/i"}"#,
            "missing field `start_script`, `image` or `kernel`",
        ),
        (r#"{"image": "/i", "kernel": "/k"}"#, "not several"),
        (r#"{"image": "/no/such"}"#, "/no/such: No such file"),
    ] {
        let error = Ended::of(&mut config(vm)).failed(2);
        assert!(
            error.contains(reason) && error.trim_end().lines().count() == 1,
            "{error}"
        );
    }
}

#[test]
fn invalid_images_are_refused() {
    let run = Run::new(&[]);
    let script = run.script("");
    for (argument, reason) in [
        ("/i.qcow2", "not a name, = and a file"),
        ("vm=/no/such", "/no/such: No such file"),
        ("vm=/", "/: not a file"),
        ("a b=/etc/hostname", "can't be a machine's name"),
    ] {
        let mut command = run.command();
        let error = Ended::of(command.args(["--image", argument]).arg(&script)).failed(2);
        assert!(error.contains(reason), "{error}");
    }
    let twice = [
        "--image",
        "vm=/etc/hostname",
        "--kernel",
        "vm=/etc/hostname",
    ];
    let error = Ended::of(run.command().args(twice).arg(&script)).failed(2);
    assert!(error.contains("two machines are named vm"), "{error}");
}
