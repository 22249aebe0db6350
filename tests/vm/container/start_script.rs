use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use machine::{Container, ContainerCommand, Vlan};
use vm_tests::{container_builder, container_root, show_steps};

/// A start script like those of NixOS: it makes its root, a bridge with an address for each
/// network, and a network namespace with a card on it. It is killed without a chance to remove
/// them.
fn script(dir: &Path) -> PathBuf {
    let path = dir.join("run-nix-nspawn");
    let script = format!(
        "#!/bin/sh
set -eu
cp -a {root}/. \"$RUN_NSPAWN_ROOT_DIR\"
echo nix >\"$RUN_NSPAWN_ROOT_DIR/etc/hostname\"
mkdir \"$RUN_NSPAWN_ROOT_DIR/var/empty\"
chattr +i \"$RUN_NSPAWN_ROOT_DIR/var/empty\"
ip netns add nixos-nspawn-nix
ip link add br1 type bridge
ip link set br1 up
ip address add 192.168.1.254/24 dev br1
ip link add nix-eth1 type veth peer name eth1 netns nixos-nspawn-nix
ip link set nix-eth1 master br1
ip link set nix-eth1 up
ip -n nixos-nspawn-nix address add 192.168.1.3/24 dev eth1
ip -n nixos-nspawn-nix link set eth1 up
systemd-nspawn --machine=nix --register=no --keep-unit --private-users=no \\
    \"$@\" --directory=\"$RUN_NSPAWN_ROOT_DIR\" \\
    --network-namespace-path=/run/netns/nixos-nspawn-nix /sbin/init
",
        root = container_root().display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn a_start_script_of_nixos_keeps_its_contract() {
    show_steps();
    let dir = tempfile::tempdir().unwrap();
    let one = Vlan::start(1, dir.path()).await.unwrap();
    let command = ContainerCommand::new("nix").start_script(script(dir.path()));
    let nix = Container::builder(command)
        .vlan(&one)
        .tmp_dir(dir.path())
        .build()
        .unwrap();
    let peer = container_builder("peer")
        .vlan(&one)
        .nodes(["peer"])
        .build()
        .unwrap();
    nix.wait_for_unit("multi-user.target").await.unwrap();
    assert_eq!(nix.succeed("hostname").await.unwrap(), "nix\n");
    nix.succeed("echo shared >/tmp/shared/file").await.unwrap();
    assert!(nix.shared_dir().join("file").exists());
    let file = dir.path().join("file");
    fs::write(&file, "copied").unwrap();
    nix.copy_from_host(&file, "/root/file").await.unwrap();
    assert_eq!(nix.succeed("cat /root/file").await.unwrap(), "copied");
    nix.succeed("logger hello from nix").await.unwrap();
    nix.wait_for_console_text("hello from nix").await.unwrap();

    peer.wait_until_succeeds("ping -c 1 -W 1 192.168.1.3")
        .await
        .unwrap();
    nix.block().await.unwrap();
    peer.fail("ping -c 1 -W 1 192.168.1.3").await.unwrap();

    let state = nix.state_dir().to_owned();
    drop(nix);
    assert!(!state.exists());
    assert!(!Path::new("/run/netns/nixos-nspawn-nix").exists());
    assert!(!Path::new("/sys/class/net/br1").exists());
}
