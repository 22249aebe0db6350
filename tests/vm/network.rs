/// Waits for Unix sockets.
mod unix_sockets;

use std::net::TcpListener;
use std::time::Duration;

use machine::{ErrorKind, Machine, StartScript};
use tokio::io::AsyncReadExt as _;
use vm_tests::{SOON, fresh, show_steps, start_script};

#[tokio::test]
async fn ports() {
    let vm = fresh("systemd").await;
    let vm = vm.within(SOON);
    // No process listens yet.
    vm.wait_for_closed_port(8080).await.unwrap();
    vm.succeed("(sleep 1; exec nc -lk 127.0.0.1 8080) &>/dev/null &")
        .await
        .unwrap();
    vm.wait_for_open_port(8080).await.unwrap();
    vm.succeed("pkill -f 8080").await.unwrap();
    vm.wait_for_closed_port(8080).await.unwrap();

    // IPv6 only.
    vm.succeed("nc -6 -lk ::1 8081 &>/dev/null &")
        .await
        .unwrap();
    vm.wait_for_open_port(8081).await.unwrap();
    vm.wait_for_open_port_at("::1", 8081).await.unwrap();
    vm.wait_for_closed_port_at("127.0.0.1", 8081).await.unwrap();

    let patient = vm.within(Duration::from_secs(1));
    let error = patient.wait_for_open_port(1234).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("TCP port 1234 on localhost to be open"),
        "{message}"
    );
    assert!(
        message.contains("[::1]:8081"),
        "the listening sockets are missing: {message}"
    );
    let error = patient.wait_for_closed_port(8081).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// Drops packets to TCP port 8080.
const DROP: &str = "nft add table inet filter
    nft add chain inet filter input '{ type filter hook input priority 0; }'
    nft add rule inet filter input tcp dport 8080 drop";

#[tokio::test]
async fn a_port_that_does_not_answer_is_closed() {
    let vm = fresh("systemd").await;
    vm.succeed("(nc -lk 0.0.0.0 8080 & nc -6lk ::1 8080 &) &>/dev/null; hostname firewalled")
        .await
        .unwrap();
    // The name has an address of each kind.
    vm.succeed("printf '127.0.0.1 firewalled\n::1 firewalled\n' >>/etc/hosts")
        .await
        .unwrap();
    let vm = vm.within(SOON);
    let hosts = ["localhost", "127.0.0.1", "[::1]", "firewalled"];
    for host in hosts {
        vm.wait_for_open_port_at(host, 8080).await.unwrap();
    }
    // During a wait, in a kernel that had no rules until then.
    vm.succeed(format!("(sleep 1; {DROP}) >&2 &"))
        .await
        .unwrap();
    // The kernel's own time-out is more than two minutes for each address.
    let quick = vm.within(Duration::from_secs(12));
    for host in hosts {
        quick.wait_for_closed_port_at(host, 8080).await.unwrap();
    }
    vm.succeed("nft flush ruleset").await.unwrap();
    for host in hosts {
        vm.wait_for_open_port_at(host, 8080).await.unwrap();
    }
    // No connection attempt is left.
    vm.fail("ss -Htn state syn-sent | grep .").await.unwrap();
}

/// `nc -l` accepts one connection.
#[tokio::test]
async fn a_wait_leaves_the_connection_to_the_client() {
    let vm = fresh("systemd").await;
    vm.wait_until_succeeds("ip -4 addr show to 10.0.2.15/24 | grep -q inet")
        .await
        .unwrap();
    let vm = vm.within(SOON);
    let impatient = vm.within(Duration::from_secs(3));
    let hosts = [
        ("-4", "0.0.0.0", "localhost", "127.0.0.1"),
        ("-4", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("-4", "10.0.2.15", "10.0.2.15", "10.0.2.15"),
        ("-6", "::1", "localhost", "::1"),
        ("-6", "::", "[::1]", "::1"),
        ("-4", "127.0.0.9", "by-name", "by-name"),
    ];
    vm.succeed("echo 127.0.0.9 by-name >>/etc/hosts")
        .await
        .unwrap();
    for (number, (family, bound, host, client)) in hosts.into_iter().enumerate() {
        let port = 7001 + u16::try_from(number).unwrap();
        vm.succeed(format!(
            "(sleep 0.{number}; echo hello | nc -N {family} -l {bound} {port}) >&2 &"
        ))
        .await
        .unwrap();
        vm.wait_for_open_port_at(host, port).await.unwrap();
        let closed = impatient.wait_for_closed_port_at(host, port).await;
        assert!(closed.unwrap_err().is_timeout(), "{bound}");
        let hello = vm.succeed(format!("nc -d {client} {port}")).await.unwrap();
        assert_eq!(hello, "hello\n", "{bound}");
        vm.wait_for_closed_port_at(host, port).await.unwrap();
    }
}

/// The guest may have no process that listens at its own address.
#[tokio::test]
async fn a_port_that_leads_elsewhere_is_open() {
    let vm = fresh("systemd").await;
    vm.succeed(
        "nc -lk 127.0.0.1 8081 &>/dev/null &
        nft add table ip nat
        nft add chain ip nat output '{ type nat hook output priority -100; }'
        nft add rule ip nat output tcp dport 8080 redirect to :8081",
    )
    .await
    .unwrap();
    let vm = vm.within(SOON);
    vm.wait_for_open_port(8080).await.unwrap();
    vm.succeed("nft flush ruleset").await.unwrap();
    vm.wait_for_closed_port(8080).await.unwrap();
}

#[tokio::test]
async fn a_name_that_can_not_be_resolved() {
    // The second has no getent: bash resolves names.
    for image in ["systemd", "minimal"] {
        let vm = fresh(image).await;
        let impatient = vm.within(Duration::from_secs(3));
        let open = impatient.wait_for_open_port_at("no-such-host", 22).await;
        let closed = impatient.wait_for_closed_port_at("no-such-host", 22).await;
        for error in [open.unwrap_err(), closed.unwrap_err()] {
            assert!(error.is_timeout(), "{error}");
            let message = error.to_string();
            let reason = "the guest can't resolve the name no-such-host";
            assert!(message.contains(reason), "{message}");
            assert!(!message.contains("exit code"), "{message}");
        }
        // It is resolved again while the wait goes on in the guest.
        vm.succeed("(sleep 1; echo 127.0.0.1 no-such-host >>/etc/hosts) >&2 &")
            .await
            .unwrap();
        vm.within(Duration::from_secs(8))
            .wait_for_closed_port_at("no-such-host", 22)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn invalid_arguments_are_refused() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let errors = [
        vm.wait_for_open_port(0).await.unwrap_err(),
        vm.wait_for_closed_port(0).await.unwrap_err(),
        vm.wait_for_open_port_at("", 80).await.unwrap_err(),
        vm.wait_for_open_port_at("a/b", 80).await.unwrap_err(),
        vm.wait_for_open_port_at("[]", 80).await.unwrap_err(),
        vm.wait_for_open_port_at("-x", 80).await.unwrap_err(),
        vm.wait_for_open_port_at("nul\0", 80).await.unwrap_err(),
        vm.wait_for_open_unix_socket("", false).await.unwrap_err(),
        vm.forward_port(0, 80).await.unwrap_err(),
        vm.forward_port(8080, 0).await.unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error.kind(), ErrorKind::BadArgument { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_forwarded_port_leads_into_the_guest() {
    let vm = fresh("systemd").await;
    vm.succeed("systemd-socket-activate --accept --inetd -l 80 echo hello &>/dev/null &")
        .await
        .unwrap();
    vm.wait_for_open_port(80).await.unwrap();
    // The guest's boot does not wait for its network.
    vm.wait_until_succeeds("ip -4 addr show to 10.0.2.15/24 | grep -q inet")
        .await
        .unwrap();
    // The listener finds a free port, and occupies it for now.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = vm.forward_port(port, 80).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::MonitorCommandFailed { .. }),
        "{error}"
    );
    drop(taken);
    vm.forward_port(port, 80).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello\n");
}

#[tokio::test]
async fn a_cable_is_pulled_and_plugged_in_again() {
    let sockets = tempfile::tempdir().unwrap();
    let path = |name: &str| sockets.path().join(name).display().to_string();
    let on_vlan = |own: &str, other: &str, mac: &str| {
        let netdev = format!(
            "dgram,id=vlan,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            path(own),
            path(other)
        );
        let card = format!("virtio-net-pci,netdev=vlan,mac={mac}");
        let script = StartScript::new(start_script("minimal"));
        Machine::builder(script.args(["-netdev", &netdev, "-device", &card]))
            .name(own)
            .build()
            .unwrap()
    };
    show_steps();
    let a = on_vlan("a", "b", "52:54:00:12:01:01");
    let b = on_vlan("b", "a", "52:54:00:12:01:02");
    let up = |address: &str| format!("ip address add {address}/24 dev eth1; ip link set eth1 up");
    tokio::try_join!(a.succeed(up("192.168.1.1")), b.succeed(up("192.168.1.2"))).unwrap();
    b.succeed("(while :; do nc -l -p 80; done) <>/dev/zero &>/dev/null &")
        .await
        .unwrap();
    let a = a.within(SOON);
    a.wait_for_open_port_at("192.168.1.2", 80).await.unwrap();
    a.block().await.unwrap();
    a.wait_until_fails("ping -c 1 -W 1 192.168.1.2")
        .await
        .unwrap();
    // The card that leads to the host stays connected.
    a.succeed("ping -c 1 10.0.2.2").await.unwrap();
    a.unblock().await.unwrap();
    a.wait_until_succeeds("ping -c 1 -W 1 192.168.1.2")
        .await
        .unwrap();
}

#[tokio::test]
async fn block_needs_a_second_network_card() {
    let vm = fresh("systemd").await;
    vm.start().await.unwrap();
    let error = vm.block().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::MonitorCommandFailed { .. }),
        "{error}"
    );
}
