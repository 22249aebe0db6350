use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use machine::{Container, ContainerCommand, ErrorKind, Vlan};
use vm_tests::{container_root, show_steps};

/// A start script that does what those of NixOS do: it is not replaced by systemd-nspawn, but
/// waits for it; it makes a network namespace, a bridge with an address for each network unless
/// it exists, and a card; it removes them when the container has ended, or on SIGTERM. Its root
/// is filled at the first start only; most files are elsewhere, and read-only.
const SCRIPT: &str = r#"#!/bin/sh
set -eu
trap 'exit 0' TERM
netns=nixos-nspawn-nix
root=${RUN_NSPAWN_ROOT_DIR:-./nix-root}
mkdir -p "$root"
chmod 0755 "$root"
if ! [ -d "$root/usr" ]; then
    find "$TEST_ROOT" -mindepth 1 -maxdepth 1 ! -name usr -exec cp -a {} "$root" \;
    mkdir "$root/usr"
fi
[ -d "$root/var/empty" ] || mkdir "$root/var/empty"
chattr +i "$root/var/empty" || :
echo nix >"$root/etc/hostname"

ip netns add "$netns"
mkdir -p /run/nixos-nspawn
exec 9>/run/nixos-nspawn/vlan-1.lock
flock 9
if ! [ -e /sys/class/net/br1 ]; then
    ip link add br1 type bridge
    ip link set br1 up
    ip addr add 192.168.1.254/24 dev br1
    ip addr add 2001:db8:1::fe/64 dev br1
fi
flock -u 9
ip link add nix-eth1 type veth peer name eth1 netns "$netns"
ip link set nix-eth1 master br1
ip link set nix-eth1 up
# Which the container's own init does in NixOS.
ip -n "$netns" address add 192.168.1.3/24 dev eth1
ip -n "$netns" link set eth1 up

clean_up() {
    kill "$nspawn" 2>/dev/null || :
    ip link delete nix-eth1
    ip link delete br1
    ip netns delete "$netns"
    chattr -i "$root/var/empty" || :
}
systemd-nspawn --private-network --machine=nix --private-users=no \
    --bind-ro="$TEST_ROOT/usr:/usr" --bind=/proc:/run/host/proc --bind=/sys:/run/host/sys \
    --keep-unit --register=no --notify-ready=yes "$@" \
    --directory="$root" --network-namespace-path="/run/netns/$netns" \
    ${RUN_NSPAWN_SHARED_DIR:+"--bind=$RUN_NSPAWN_SHARED_DIR:/tmp/shared"} \
    /sbin/init &
nspawn=$!
trap clean_up EXIT
status=0
wait "$nspawn" || status=$?
exit "$status"
"#;

fn script(dir: &Path, root: &Path) -> PathBuf {
    let path = dir.join("run-nix-nspawn");
    let script = SCRIPT.replace("$TEST_ROOT", &root.display().to_string());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
#[ignore = "needs containers and /dev/net/tun"]
async fn a_start_script_of_nixos_keeps_its_contract() {
    show_steps();
    keeps_its_contract(&container_root()).await;
}

/// A start script that copies the directory `root`.
pub(super) async fn keeps_its_contract(root: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let one = Vlan::start(1, dir.path()).await.unwrap();
    let other = Vlan::start(2, dir.path()).await.unwrap();
    let script = script(dir.path(), root);
    let command = ContainerCommand::new("nix").start_script(&script);
    // The script has a bridge for one of these networks.
    let nix = Container::builder(command)
        .vlan(&other)
        .vlan(&one)
        .tmp_dir(dir.path())
        .build()
        .unwrap();
    let peer = Container::builder(ContainerCommand::new("peer").root_dir(root))
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

    // The card has another hardware address after each start.
    let ping = "ip neighbour flush all; ping -c 1 -W 1 192.168.1.3";
    peer.wait_until_succeeds(ping).await.unwrap();
    nix.block().await.unwrap();
    peer.fail(ping).await.unwrap();
    nix.unblock().await.unwrap();
    peer.wait_until_succeeds(ping).await.unwrap();

    // The script runs again, in the same namespaces.
    nix.reboot().await.unwrap();
    assert_eq!(nix.succeed("cat /root/file").await.unwrap(), "copied");
    peer.wait_until_succeeds(ping).await.unwrap();
    // And in others.
    nix.shutdown().await.unwrap();
    let error = nix.block().await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::NotRunning { .. } | ErrorKind::Exited { .. }
        ),
        "{error}"
    );
    assert_eq!(nix.succeed("cat /root/file").await.unwrap(), "copied");
    peer.wait_until_succeeds(ping).await.unwrap();

    // On none of these networks.
    nix.shutdown().await.unwrap();
    let changed = fs::read_to_string(&script).unwrap().replace("br1", "br3");
    fs::write(&script, changed).unwrap();
    nix.connect().await.unwrap();
    let error = nix.block().await.unwrap_err().to_string();
    assert!(error.contains("it is on no network"), "{error}");

    // Killed without a chance to remove anything.
    let state = nix.state_dir().to_owned();
    drop(nix);
    assert!(!state.exists());
    assert!(!Path::new("/run/netns/nixos-nspawn-nix").exists());
    assert!(!Path::new("/sys/class/net/br1").exists());
}
