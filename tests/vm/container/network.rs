use std::time::Duration;

use machine::{Container, StartScript, Vlan};
use vm_tests::{SOON, builder, container_builder, named};

const NODES: [&str; 3] = ["vm", "web", "client"];

/// A web server on every address, which answers with the name of its host.
const SERVE: &str = "systemd-run --unit=web bash -c 'while :; do printf \
    \"HTTP/1.0 200 OK\\r\\n\\r\\n$(hostname)\\n\" | nc -lN 80; done'";

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn containers_and_a_machine_share_networks() {
    let dir = tempfile::tempdir().unwrap();
    let one = Vlan::start(1, dir.path()).await.unwrap();
    let two = Vlan::start(2, dir.path()).await.unwrap();
    let vm = builder("systemd")
        .name("vm")
        .vlan(&one)
        .env("VM_NODES", NODES.join(" "));
    let vm = vm.build().unwrap();
    vm.set_start_command(StartScript::new(named("vm", "systemd")));
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
        client.succeed("curl -sS http://web/").await.unwrap(),
        "web\n"
    );
    let other = "curl -sS --interface eth2 http://192.168.2.2/";
    assert_eq!(client.succeed(other).await.unwrap(), "web\n");

    assert_the_cable_can_be_unplugged(&web, &client).await;

    vm.wait_until_succeeds("curl -sS http://web/ | grep -x web")
        .await
        .unwrap();
    vm.succeed(SERVE).await.unwrap();
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
        .succeed("curl -sS http://192.168.2.2/")
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
