use std::path::Path;

use serde_json::{Value, json};
use vm_tests::{container_root, named, templates};

use super::start::{config_of, configured};
use super::{Ended, Run};

/// A test of a web server, whatever runs its nodes.
const WEB: &str = "\
assert sorted(m.name for m in machines if m.name != 'visitor') == ['client', 'server']
start_all()
for m in machines:
    m.wait_for_unit('multi-user.target')
serve = 'while :; do printf \"HTTP/1.0 200 OK\\\\r\\\\n\\\\r\\\\nfrom $(hostname)\\\\n\" | nc -lN 80; done'
server.succeed(f\"systemd-run --unit=web bash -c '{serve}'\")
server.wait_for_open_port(80)
with subtest('everyone reaches the web server'):
    for m in [m for m in machines if m is not server]:
        page = m.wait_until_succeeds('curl --fail -sS http://server/', timeout=120)
        assert page == 'from server\\n', page
with subtest('its cable is unplugged'):
    server.block()
    client.fail('curl --fail -sS --connect-timeout 1 http://server/')
    server.unblock()
    client.wait_until_succeeds('curl --fail -sS --connect-timeout 1 http://server/', timeout=120)
print(*sorted(type(m).__name__ for m in machines))
";

/// A configuration with these nodes on one network.
fn config(dir: &Path, vms: &[&str], containers: &[&str], script: &Path) -> std::path::PathBuf {
    let nodes = |names: &[&str], start: &dyn Fn(&str) -> std::path::PathBuf| {
        let nodes = names.iter();
        let nodes = nodes.map(|name| ((*name).to_owned(), json!({"start_script": start(name)})));
        Value::Object(nodes.collect())
    };
    let vms = nodes(vms, &|name| named(name, "systemd"));
    config_of(dir, &vms, &nodes(containers, &|_| container_root()), script)
}

#[test]
#[ignore = "needs containers and /dev/net/tun"]
fn a_test_passes_on_containers_and_on_machines() {
    let run = Run::booting(&[]);
    let script = run.script(WEB);
    // The machines share the templates of the examples, which have two machines of these names.
    let on_both = (&["client"][..], &["server"][..]);
    let on_machines = (&["client", "server"][..], &[][..]);
    let on_containers = (&[][..], &["client", "server", "visitor"][..]);
    for ((vms, containers), expected) in [
        (on_both, "Machine NspawnMachine\n"),
        (on_machines, "Machine Machine\n"),
        (on_containers, "NspawnMachine NspawnMachine NspawnMachine\n"),
    ] {
        let config = config(run.out(), vms, containers, &script);
        let mut driver = configured(&run, &config);
        let ended = Ended::of(driver.arg("--templates").arg(templates()));
        assert_eq!(ended.passed(), expected);
    }
}

/// What differs from virtual machines.
const NSPAWN: &str = "\
import os, signal, subprocess, time
assert machines_nspawn == machines == [box] and machines_qemu == [] and machine is box
assert isinstance(box, NspawnMachine) and isinstance(box, BaseMachine)
assert not isinstance(box, QemuMachine) and not isinstance(box, Machine)
assert box.execute('exit 3', check_return=False) == (3, '')
try:
    box.execute('sleep 100', timeout=0.3)
except subprocess.TimeoutExpired as error:
    assert (error.cmd, error.timeout) == ('sleep 100', 0.3), error
else:
    raise Exception('it has ended')
assert box.execute('exit 124') == (124, '')
assert box.execute('echo waits; exit 3', check_output=False) == (3, 'waits\\n')
def expires(operation):
    try:
        operation('echo printed; sleep 100', timeout=0.3)
    except subprocess.TimeoutExpired as error:
        assert (error.cmd, error.timeout) == ('echo printed; sleep 100', 0.3), error
    else:
        raise Exception('it has ended')
for operation in [box.succeed, box.fail, box.wait_until_fails, box.wait_until_succeeds]:
    expires(operation)
for operation, command in [(box.wait_until_succeeds, 'echo no; false'),
                           (box.wait_until_fails, 'echo no')]:
    try:
        operation(command, timeout=1)
    except subprocess.TimeoutExpired as error:
        raise Exception('no command has taken longer') from error
    except AssertionError as error:
        assert f'of `{command}` within 1 s' in str(error) and 'output: no' in str(error), error
    else:
        raise Exception('it has passed')
assert box.wait_until_succeeds('echo yes') == 'yes\\n'
assert box.wait_until_succeeds('echo yes', timeout=None) == 'yes\\n'
assert box.wait_until_fails('echo no; false', timeout=0) == 'no\\n'
try:
    box.wait_until_succeeds('sleep 100', timeout=0)
except subprocess.TimeoutExpired:
    pass
else:
    raise Exception('it has ended')
assert box.fail('echo failed; false', 'exit 2', timeout=60) == 'failed\\n'
assert box.wait_until_fails('echo no; false') == 'no\\n'
for wrong in [lambda: box.fail('true'), lambda: box.succeed('false', timeout=60),
              lambda: box.wait_until_fails('true', timeout=0.3)]:
    try:
        wrong()
    except AssertionError as error:
        assert 'box: ' in str(error) or 'timed out' in str(error), error
    else:
        raise Exception('it has passed')
assert 'unix-export/box/ssh' in box.ssh_backdoor_command()
box.succeed('echo $USER $HOME $DISPLAY >/tmp/shared/file; logger hello')
assert (box.shared_dir / 'file').read_text() == 'root /root :0.0\\n'
box.wait_for_console_text('hello')
try:
    box.screenshot('none')
except RuntimeError as error:
    print(error)
box.reboot()
box.wait_for_unit('multi-user.target')
box.crash()
assert not box.is_up()
box.start()
assert box.is_up()
box.shutdown()
assert not box.is_up()
box.succeed('echo \"echo a shell starts >/dev/console; exec false\" >/etc/profile')
box.shutdown()
box.start()
box.wait_for_console_text(r'(?s)(a shell starts.*){4}')
os.kill(box.pid, signal.SIGKILL)
while box.is_up():
    time.sleep(0.01)
";

#[test]
#[ignore = "needs containers"]
fn scripts_know_the_containers_of_newer_nixos_drivers() {
    let run = Run::booting(&[]);
    let script = run.script(NSPAWN);
    let mut driver = run.command();
    driver
        .arg("--container-start-scripts")
        .arg(container_root());
    let ended = Ended::of(driver.args(["--container-names", "box", "--"]).arg(&script));
    let log = ended.stderr.clone();
    assert_eq!(
        ended.passed(),
        "box: a container has no QEMU: no monitor, screen, keyboard or terminal\n"
    );
    let warning = "its root shell ends at once, with exit status: 1: see its console";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}
