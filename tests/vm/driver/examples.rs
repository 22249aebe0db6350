use vm_tests::repository;

use super::{Ended, Run};

/// Runs an example, which must pass.
fn passes(name: &str, machines: &[(&str, &str)], vlans: &[&str]) {
    let examples = repository().join("driver/examples");
    let run = Run::new(machines);
    let mut command = run.command();
    if !vlans.is_empty() {
        command.arg("--vlans").args(vlans);
    }
    command.arg("--").arg(examples.join(name));
    Ended::of(&mut command).passed();
}

#[test]
fn boot_failure() {
    passes("boot_failure.py", &[("machine", "systemd")], &[]);
}

#[test]
fn database() {
    passes("database.py", &[("machine", "systemd")], &[]);
}

#[test]
fn desktop() {
    passes("desktop.py", &[("machine", "desktop")], &[]);
}

#[test]
fn firewall() {
    let machines = [("client", "systemd"), ("server", "systemd")];
    passes("firewall.py", &machines, &["1"]);
}

#[test]
fn reboot() {
    passes("reboot.py", &[("machine", "systemd")], &[]);
}

#[test]
fn upgrade() {
    passes("upgrade.py", &[("machine", "systemd")], &[]);
}

#[test]
fn user_services() {
    passes("user_services.py", &[("machine", "systemd")], &[]);
}

#[test]
fn web() {
    let machines = [("client", "systemd"), ("server", "systemd")];
    passes("web.py", &machines, &["1"]);
}

/// A machine routes between two networks.
#[test]
fn router() {
    let run = Run::booting(&[
        ("inside", "minimal"),
        ("outside", "minimal"),
        ("router", "minimal"),
    ]);
    let script = run.script(
        "\
start_all()
assert [vlan.nr for vlan in vlans] == [1, 2] and vlan1.nr == 1
router.succeed('echo 1 >/proc/sys/net/ipv4/ip_forward')
inside.fail('ip link show eth2')
inside.succeed('ip route add 192.168.2.0/24 via 192.168.1.3')
outside.succeed('ip route add 192.168.1.0/24 via 192.168.2.3')
inside.wait_until_succeeds('ping -c 1 -w 20 router')
inside.wait_until_succeeds('ping -c 1 -w 20 192.168.2.2')
inside.block()
inside.fail('ping -c 1 -w 2 192.168.2.2')
inside.unblock()
inside.wait_until_succeeds('ping -c 1 -w 20 192.168.2.2')
",
    );
    let mut command = run.command();
    command.args(["--vlans", "1", "2", "--"]).arg(script);
    command
        .env("VM_VLANS_inside", "1")
        .env("VM_VLANS_outside", "2");
    Ended::of(&mut command).passed();
}
