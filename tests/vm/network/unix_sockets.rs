use std::time::Duration;

use machine::Machine;
use vm_tests::{SOON, fresh};

#[tokio::test]
async fn sockets_are_open_if_a_client_can_connect() {
    let vm = fresh("systemd").await;
    let vm = vm.within(SOON);
    // Sockets on which systemd listens for a service count.
    for path in [
        "/run/dbus/system_bus_socket",
        "/var/run/dbus/system_bus_socket",
    ] {
        vm.wait_for_open_unix_socket(path, false).await.unwrap();
    }
    vm.wait_for_open_unix_socket("/run/systemd/notify", true)
        .await
        .unwrap();
    // Of type SOCK_SEQPACKET.
    vm.wait_for_open_unix_socket("/run/udev/control", false)
        .await
        .unwrap();
    vm.succeed("(sleep 1; exec nc -lkU '/root/a socket') &>/dev/null &")
        .await
        .unwrap();
    vm.wait_for_open_unix_socket("/root/a socket", false)
        .await
        .unwrap();
    // By a path relative to the root shell's working directory.
    vm.succeed("nc -lkU -- '-relative' &>/dev/null &")
        .await
        .unwrap();
    vm.wait_for_open_unix_socket("-relative", false)
        .await
        .unwrap();
    odd_sockets(&vm).await;
}

/// The kernel lists them under another path, or in another namespace's table.
async fn odd_sockets(vm: &Machine) {
    vm.succeed(
        "ln -s /run /root/link
        nc -lkU /root/link/by-link &>/dev/null &
        cd /run
        nc -lkU by-relative-path &>/dev/null &
        nc -lkU /run/old-name &>/dev/null &
        while [[ ! -S old-name ]]; do sleep 0.1; done
        mv old-name new-name
        printf -v long 'd%.0s' {1..200}
        mkdir $long
        (cd $long; exec nc -lkU socket &>/dev/null) &
        systemd-run -p PrivateNetwork=yes nc -k -l -U /run/other-network
        systemd-run -p PrivateMounts=yes nc -k -l -U /run/other-mounts",
    )
    .await
    .unwrap();
    let long = format!("/run/{}/socket", "d".repeat(200));
    for path in [
        "/run/by-link",
        "/root/link/by-link",
        "/var/run/by-link",
        "/run/by-relative-path",
        "/run/new-name",
        "/run/other-network",
        "/run/other-mounts",
        &long,
    ] {
        vm.wait_for_open_unix_socket(path, false).await.unwrap();
    }
}

#[tokio::test]
async fn sockets_without_a_listener_are_not_open() {
    let vm = fresh("systemd").await;
    vm.succeed(
        "cd /run
        for name in left removed covered; do
            nc -lkU $name &>/dev/null & pid=$!
            while [[ ! -S $name ]]; do sleep 0.1; done
            if [[ $name == left ]]; then kill -9 $pid; wait $pid || :; fi
        done
        rm removed
        mount --bind /etc/passwd covered",
    )
    .await
    .unwrap();
    let impatient = vm.within(Duration::from_secs(1));
    for (path, is_datagram, reason) in [
        ("/run/left", false, "accepts no connection"),
        ("/run/removed", false, "there is no such socket"),
        ("/run/covered", false, "there is no such socket"),
        ("/etc/passwd", false, "there is no such socket"),
        ("/run/systemd/notify", false, "accepts no connection"),
        ("/run/dbus/system_bus_socket", true, "accepts no connection"),
        ("@none", false, "abstract socket"),
    ] {
        let waited = impatient.wait_for_open_unix_socket(path, is_datagram);
        let error = waited.await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().contains(reason), "{path}: {error}");
    }
}

/// Which programs a guest has decides how sockets are connected to.
#[tokio::test]
async fn guests_without_perl() {
    let vm = fresh("systemd").await;
    let vm = vm.within(SOON);
    let impatient = vm.within(Duration::from_secs(1));
    vm.succeed(
        "nc -lkU /run/stream &>/dev/null &
        nc -lkuU /run/datagram &>/dev/null &
        rm /usr/bin/perl*",
    )
    .await
    .unwrap();
    for without in ["", "rm /bin/nc*"] {
        vm.succeed(without).await.unwrap();
        for (path, is_datagram) in [("/run/stream", false), ("/run/datagram", true)] {
            vm.wait_for_open_unix_socket(path, is_datagram)
                .await
                .unwrap();
            let other = impatient.wait_for_open_unix_socket(path, !is_datagram);
            other.await.unwrap_err();
        }
    }
}
