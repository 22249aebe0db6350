use std::fs;

use vm_tests::start_script;

use super::{Ended, Run};

#[test]
fn scripts_can_assign_state() {
    let script = "\
machine.start()
first = machine.pid
machine.booted = False
machine.connected = False
machine.pid = None
machine.process = None
assert (machine.booted, machine.pid, machine.process) == (False, None, None)
assert not machine.is_up()

# The assigned state applied to the first QEMU only.
machine.start()
assert machine.booted and machine.pid not in (None, first), machine.pid
assert machine.process.pid == machine.pid

# The driver must not sync a stopped guest that the script has marked as not booted.
machine.connect()
assert machine.is_up()
machine.monitor.send(b'stop\\n')
machine.booted = False
assert machine.connected and not machine.is_up()
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn state_assigned_after_a_command_started_the_machine() {
    let script = "\
machine.succeed('touch /tmp/file')
machine.booted = False
assert not machine.booted and not machine.is_up()
machine.start()
machine.fail('test -e /tmp/file')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

/// Before the start, the log is empty.
#[test]
fn the_console_log_of_a_stopped_machine_is_readable() {
    let script = "\
assert machine.get_console_log() == ''
machine.start()
machine.shutdown()
machine.wait_for_console_text('reboot: Power down')
assert not machine.booted
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn a_process_keeps_its_return_code() {
    let script = "\
import signal, subprocess
assert machine.process is None
machine.start()
process = machine.process
assert machine.process is process and process.pid == machine.pid
assert process.poll() is None and process.returncode is None
try:
    process.wait(timeout=0.1)
except subprocess.TimeoutExpired:
    pass
else:
    raise Exception('no time-out')
process.kill()
assert process.wait() == -signal.SIGKILL == process.returncode
assert machine.pid is None

machine.start()
assert machine.process is not process and process.returncode == -signal.SIGKILL
machine.process.stdin.write(b'typed before the boot\\n')
machine.process.stdin.flush()
assert machine.send_monitor_command('quit') == ''
machine.wait_for_shutdown()
assert machine.process.returncode == 0 and machine.pid is None

machine.start()
machine.release()
assert machine.process.returncode == -signal.SIGKILL

machine.start()
machine.process.terminate()
assert machine.process.wait() == 0
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn last_lines_is_a_queue_of_console_lines() {
    let script = "\
import queue
assert machine.last_lines.empty()
machine.start()
lines = [machine.last_lines.get() for _ in range(3)]
assert isinstance(machine.last_lines, queue.Queue)
machine.wait_for_console_text('minimal# ')
machine.send_console('echo $((6 * 7)) is shown; echo and so is this\\n')
machine.wait_for_console_text('42 is sh')
machine.last_lines.get()
machine.wait_for_console_text('minimal# ')

# A wait begins after the lines that were taken from the queue.
machine.send_console('echo $((7 * 7)) is shown\\n')
shown = []
while not any('49 is shown' in line for line in shown):
    shown.append(machine.last_lines.get())
try:
    while True:
        machine.last_lines.get(block=False)
except queue.Empty:
    pass
try:
    machine.wait_for_console_text('49 is shown', timeout=0.1)
except AssertionError:
    pass
else:
    raise Exception('found a line that was taken')
log = machine.get_console_log().splitlines()
assert lines == [line.rstrip() for line in log[:3]], lines

first = machine.last_lines
machine.crash()
machine.start()
assert machine.last_lines is not first
";
    Run::booting(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn a_patched_start_command_is_used() {
    let run = Run::booting(&[("machine", "minimal")]);
    let script = "\
first, second = (f'11111111-2222-3333-4444-55555555555{n}' for n in (1, 2))
(machine.state_dir / 'file').write_text('before')
machine.start_command._cmd += f' -uuid {first}'
machine.start()
assert first in machine.send_monitor_command('info uuid')
assert (machine.state_dir / 'file').exists()
machine.crash()
machine.start_command._cmd = machine.start_command._cmd.replace(first, second)
machine.start()
assert second in machine.send_monitor_command('info uuid')
";
    run.run(script).passed();
}

#[test]
fn a_second_machine_can_reuse_a_state_directory() {
    let run = Run::booting(&[("minimal", "minimal")]);
    let script = format!(
        "\
first = create_machine({minimal:?}, name='again', keep_machine_state=True)
assert first.keep_machine_state
(first.state_dir / 'file').write_text('kept')
first.start()
try:
    create_machine({minimal:?}, name='again', keep_vm_state=True)
except Exception as error:
    assert str(first.state_dir) in str(error), error
else:
    raise Exception('shared a state directory')
first.crash()
second = create_machine({minimal:?}, name='again', keep_vm_state=True)
assert (second.state_dir / 'file').read_text() == 'kept'
second.start()

# The same for a machine of the driver's, which is not used any more.
third = create_machine({minimal:?})
third.start()
assert third.booted and not minimal.is_up()
driver.machines.append(third)
third.crash()
join_all()
",
        minimal = start_script("minimal")
    );
    run.run(&script).passed();
}

#[test]
fn the_output_directory_can_contain_the_state() {
    let run = Run::booting(&[("machine", "minimal")]);
    let dir = run.out().join("build");
    fs::create_dir(&dir).unwrap();
    let script = format!(
        "\
import os, subprocess
machine.start()
machine.wait_for_console_text('minimal# ')
machine.crash()
assert os.listdir('vm-state-machine')

# A second driver can't use the directory.
other = [{driver:?}, '--start-scripts', {start_script:?}, '--', __file__]
other = subprocess.run(other, capture_output=True, text=True)
print(other.returncode, other.stderr)

os.chdir('/')
machine.start()
machine.screenshot('shot')
",
        driver = vm_tests::driver(),
        start_script = run.start_scripts[0],
    );
    let script = run.script(&script);
    let mut command = run.command();
    // As in a Nix build: the working directory contains everything.
    command.args(["-o", ".", "--"]).arg(&script);
    command.current_dir(&dir).env("TMPDIR", &dir);
    let passed = Ended::of(&mut command).passed();
    let (status, stderr) = passed.split_once(' ').unwrap();
    assert_eq!(status, "1", "{stderr}");
    assert!(stderr.contains("build/vm-state-machine"), "{stderr}");
    assert!(dir.join("shot.png").exists());
    assert!(!dir.join("vm-state-machine").exists());
}

#[test]
fn state_is_kept_on_request() {
    let run = Run::booting(&[("machine", "minimal")]);
    let script = run.script("machine.succeed('echo kept >/disk/kept')\nmachine.shutdown()");
    Ended::of(run.command().arg("-K").arg(script)).passed();
    let script = run.script("print(machine.succeed('cat /disk/kept'), end='')");
    let kept = Ended::of(run.command().arg("--keep-vm-state").arg(&script)).passed();
    assert_eq!(kept, "kept\n");
    // By default, machines start without state and leave none.
    run.run("machine.fail('cat /disk/kept')").passed();
    let left = fs::read_dir(run.out()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = left.collect();
    left.sort();
    assert_eq!(
        left,
        [
            "run-machine-vm",
            "script.py",
            "shared-xchg",
            "trace.html",
            "vm-state-machine"
        ]
    );
}

#[test]
fn an_assigned_state_directory_is_used() {
    let run = Run::new(&[("machine", "minimal")]);
    let script = "\
import os
first = machine.state_dir
chosen = driver.tmp_dir / 'chosen' / 'directory'
machine.state_dir = chosen
assert machine.state_dir == chosen
machine.create_efi_vars()
machine.succeed('echo kept >/disk/kept; sync')
with open(f'/proc/{machine.pid}/environ') as file:
    environment = dict(line.split('=', 1) for line in file.read().split('\\0') if line)
assert environment['TMPDIR'] == str(chosen) == os.readlink(f'/proc/{machine.pid}/cwd')
assert environment['NIX_EFI_VARS'] == str(machine.efi_vars_path)
assert os.listdir(chosen) and not list(first.glob('*.qcow2'))
machine.crash()
assert machine.succeed('cat /disk/kept') == 'kept\\n'
machine.crash()
machine.state_dir = first
machine.fail('cat /disk/kept')
";
    run.run(script).passed();
}

/// The guest loads its own kernel again and jumps to it, as kexec(8) does.
#[test]
fn a_script_connects_again_after_kexec() {
    let script = r#"
from datetime import timedelta
machine.wait_for_unit("multi-user.target", timeout=timedelta(minutes=15))
with open(f"/proc/{machine.pid}/cmdline") as file:
    words = file.read().split("\0")
for option in "-kernel", "-initrd":
    machine.copy_from_host(words[words.index(option) + 1], f"/root/{option}")
machine.succeed("""perl -e '
    open my $kernel, "<", "/root/-kernel" or die $!;
    open my $initrd, "<", "/root/-initrd" or die $!;
    open my $file, "<", "/proc/cmdline" or die $!;
    chomp(my $line = <$file>);
    $line .= " again\\0";
    # kexec_file_load(2)
    syscall(320, fileno($kernel), fileno($initrd), length $line, $line, 0) == 0 or die $!;
'""")
# reboot(2) with LINUX_REBOOT_CMD_KEXEC
jump = "perl -e 'syscall(169, 0xfee1dead, 672274793, 0x45584543, 0)' >&2 &"
machine.execute(jump, check_return=False)
machine.connected = False
assert not machine.connected and machine.booted
machine.connect()
assert machine.connected
assert machine.succeed("cat /proc/cmdline").split()[-1] == "again"
"#;
    Run::new(&[("machine", "systemd")]).run(script).passed();
}
