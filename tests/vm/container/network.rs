use std::fs;
use std::path::Path;
use std::time::Duration;

use machine::{Container, ErrorKind, StartScript, Vlan};
use rustix::process::{Pid, Signal, kill_process};
use vm_tests::{SOON, builder, container_builder, named};

use super::other_test_after;

const NODES: [&str; 3] = ["vm", "web", "client"];

/// A web server on every address, which answers with the name of its host.
const SERVE: &str = "systemd-run --unit=web bash -c 'while :; do printf \
    \"HTTP/1.0 200 OK\\r\\n\\r\\n$(hostname)\\n\" | nc -lN 80; done'";

/// The server does not listen between two connections.
const CURL: &str = "curl -sS --retry 5 --retry-connrefused";

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn containers_and_a_machine_share_networks() {
    let dir = tempfile::tempdir().unwrap();
    let one = Vlan::start(1, dir.path()).await.unwrap();
    let two = Vlan::start(2, dir.path()).await.unwrap();
    let vm = builder("minimal")
        .name("vm")
        .vlan(&one)
        .env("VM_NODES", NODES.join(" "));
    let vm = vm.build().unwrap();
    vm.set_start_command(StartScript::new(named("vm", "minimal")));
    let container = |name: &str, vlans: &[&Vlan]| -> Container {
        let vlans = vlans.iter();
        let builder = container_builder(name).nodes(NODES);
        vlans
            .fold(builder, |builder, vlan| builder.vlan(vlan))
            .build()
            .unwrap()
    };
    let web = container("web", &[&one, &two]);
    let client = container("client", &[&one, &two]);
    vm.start().await.unwrap();

    assert_eq!(
        web.succeed("ip -4 -br address show dev eth2 | awk '{print $1, $3}'")
            .await
            .unwrap(),
        "eth2 192.168.2.2/24\n"
    );
    web.succeed(SERVE).await.unwrap();
    web.wait_for_open_port(80).await.unwrap();
    assert_eq!(
        client.succeed(format!("{CURL} http://web/")).await.unwrap(),
        "web\n"
    );
    let other = format!("{CURL} --interface eth2 http://192.168.2.2/");
    assert_eq!(client.succeed(other).await.unwrap(), "web\n");

    assert_the_cable_can_be_unplugged(&web, &client).await;

    vm.wait_until_succeeds("wget -qO - http://web/ | grep -x web")
        .await
        .unwrap();
    vm.succeed("hostname >/tmp/index.html; httpd -h /tmp")
        .await
        .unwrap();
    let name = client.within(Duration::from_mins(2));
    name.wait_until_succeeds("curl -sS http://vm/ | grep -x vm")
        .await
        .unwrap();
}

/// `client` reaches `web` on its first network only if that is not blocked.
async fn assert_the_cable_can_be_unplugged(web: &Container, client: &Container) {
    let quick = "curl -sS --connect-timeout 1 http://192.168.1.2/";
    let plug_in_again = async || {
        web.unblock().await.unwrap();
        let client = client.within(SOON);
        client.wait_until_succeeds(quick).await.unwrap();
    };
    web.block().await.unwrap();
    client.fail(quick).await.unwrap();
    web.succeed("ip link show dev eth1 | grep NO-CARRIER")
        .await
        .unwrap();
    client
        .succeed(format!("{CURL} http://192.168.2.2/"))
        .await
        .unwrap();
    plug_in_again().await;

    // The cards are those of the new boot.
    web.block().await.unwrap();
    web.reboot().await.unwrap();
    web.succeed(SERVE).await.unwrap();
    web.wait_for_open_port(80).await.unwrap();
    client.fail(quick).await.unwrap();
    plug_in_again().await;
}

/// Kills the cable to a switch in `dir`: the process whose words are its program and, among
/// others, the switch.
fn kill_cable(dir: &Path) {
    let is_cable = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with("vde_plug2tap") && line.contains(&*dir.to_string_lossy())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let cables: Vec<i32> = pids.filter(|&pid| is_cable(pid)).collect();
    assert_eq!(cables.len(), 1);
    kill_process(Pid::from_raw(cables[0]).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn a_cable_that_ends_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let vlan = Vlan::start(1, dir.path()).await.unwrap();
    let one = container_builder("one").vlan(&vlan).build().unwrap();
    let two = container_builder("two").vlan(&vlan).build().unwrap();
    one.connect().await.unwrap();
    // Their addresses differ, although they are in no list.
    two.succeed("ping -c 1 -W 10 192.168.1.1").await.unwrap();
    drop(two);
    let wait = one.execute("echo waits >/dev/console; sleep 1000");
    let killer = async {
        one.wait_for_console_text("waits").await.unwrap();
        kill_cable(dir.path());
    };
    let (wait, ()) = tokio::join!(wait, killer);
    let later = one.wait_for_unit("multi-user.target").await;
    for error in [wait.unwrap_err(), later.unwrap_err()] {
        assert!(
            matches!(error.kind(), ErrorKind::GuestEnded { .. }),
            "{error}"
        );
        let message = error.to_string();
        assert!(message.contains("cable to the network 1"), "{message}");
        assert!(error.is_infrastructure());
    }
    // The next boot has another one.
    one.reboot().await.unwrap();
    one.wait_for_unit("multi-user.target").await.unwrap();

    // The end of the switch is that of the cable.
    drop(vlan);
    let error = one.execute("sleep 1000").await.unwrap_err().to_string();
    assert!(error.contains("cable to the network 1"), "{error}");
    one.crash().await.unwrap();
    let error = one.start().await.unwrap_err().to_string();
    assert!(
        error.contains("can't connect it to the network 1"),
        "{error}"
    );
}

/// A card that fails after a reboot is one of the new boot.
#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn a_card_that_fails_after_a_reboot_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let vlan = Vlan::start(1, dir.path()).await.unwrap();
    let one = container_builder("one").vlan(&vlan).build().unwrap();
    one.connect().await.unwrap();
    let socket = dir.path().join("vde1.ctl");
    fs::rename(&socket, dir.path().join("moved")).unwrap();
    one.reboot().await.unwrap();
    let error = one.wait_for_unit("multi-user.target").await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("after a reboot: "), "{message}");
    assert!(message.contains("the network 1"), "{message}");
    fs::rename(dir.path().join("moved"), &socket).unwrap();
}

#[test]
#[ignore = "needs containers and /dev/net/tun"]
fn a_host_without_network_cards_is_refused() {
    let hide = "mount -t tmpfs tmpfs /dev/net";
    let mut test = other_test_after(hide, "container::network::is_refused_without_tun");
    assert!(test.status().unwrap().success());
}

#[tokio::test]
#[ignore = "run by a_host_without_network_cards_is_refused"]
async fn is_refused_without_tun() {
    if std::env::var_os("VICTIM").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let vlan = Vlan::start(1, dir.path()).await.unwrap();
    let one = container_builder("one").vlan(&vlan).tmp_dir(dir.path());
    let one = one.build().unwrap();
    let error = one.start().await.unwrap_err().to_string();
    let line = error.lines().next().unwrap();
    assert!(line.contains("a network needs /dev/net/tun"), "{error}");
    let state = one.state_dir().to_owned();
    drop(one);
    assert!(!state.exists());
}
