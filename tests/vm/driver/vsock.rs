use std::fs;

use serde_json::{Value, json};
use vm_tests::{shared_memory_script, start_script};

use super::start::{config, configured};
use super::{Ended, Run};

/// Runs a script on `machine`, whose configuration enables the backdoor.
fn run_with_backdoor(run: &Run, start: &std::path::Path, path: &str, script: &str) -> Ended {
    let config = config(run.out(), &[("machine", start)], &run.script(script));
    let mut text: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    text["enable_ssh_backdoor"] = json!(true);
    text["vlans"] = json!([]);
    fs::write(&config, text.to_string()).unwrap();
    Ended::of(configured(run, &config).env("PATH", path))
}

#[test]
fn a_backdoor_without_its_daemon_is_refused_in_words() {
    let run = Run::booting(&[]);
    let script = "\
assert driver.vhost_vsock is None and machine.vsock_host is None
dump_machine_ssh()
try:
    machine.ssh_backdoor_command()
except Exception as error:
    print(error)
";
    let start = start_script("minimal");
    let ended = run_with_backdoor(&run, &start, "/no/such/dir", script);
    let warning = "the machines have no SSH backdoor: vhost-device-vsock is not in PATH\n";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
    let output = ended.passed();
    assert!(
        output.starts_with("machine: it has no SSH backdoor") && output.lines().count() == 1,
        "{output}"
    );
}

/// A program of the guest listens on the virtual socket, as an SSH server would.
#[test]
#[ignore = "needs vhost-device-vsock"]
fn the_host_connects_to_the_guest_by_the_backdoor() {
    let run = Run::booting(&[]);
    let script = r#"
import socket
pair = driver.vhost_vsock.sockets["machine"]
assert (machine.vsock_host, machine.vsock_guest) == (pair.host, pair.guest)
machine.wait_for_unit("multi-user.target")
machine.succeed("""
    modprobe vmw_vsock_virtio_transport
    cat >server.pl <<'END'
        socket(my $server, 40, 1, 0) or die $!;
        bind($server, pack "SSLLx4", 40, 0, 22, 0xffffffff) or die $!;
        listen($server, 1) or die $!;
        open my $ready, ">", "/root/ready";
        accept(my $client, $server) or die $!;
        syswrite $client, "from the guest\\n";
END
    perl server.pl >&2 &
""")
machine.wait_for_file("/root/ready")
with socket.socket(socket.AF_UNIX) as client:
    client.connect(str(pair.host))
    client.sendall(b"CONNECT 22\n")
    received = client.makefile().read()
assert received.splitlines()[1:] == ["from the guest"], received

# The daemon is started and ended with QEMU.
machine.crash()
machine.succeed("true")
"#;
    let start = shared_memory_script("systemd", run.out(), "", "");
    let path = std::env::var("PATH").unwrap();
    let output = run_with_backdoor(&run, &start, &path, script).passed();
    let line = "    machine:  ssh -o User=root vsock-mux/";
    assert!(output.contains(line), "{output}");
}

#[test]
fn created_machines_have_no_backdoor() {
    use std::os::unix::fs::symlink;
    let run = Run::booting(&[]);
    // It is not run.
    symlink("/bin/true", run.out().join("vhost-device-vsock")).unwrap();
    let script = "\
for name in 'a', 'b':
    create_machine('run-x-vm', name=name)
";
    let start = start_script("minimal");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{path}:{}", run.out().display());
    let ended = run_with_backdoor(&run, &start, &path, script);
    let warning = "machines of create_machine have no SSH backdoor\n";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
    ended.passed();
}
