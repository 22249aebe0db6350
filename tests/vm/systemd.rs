use machine::{ErrorKind, Machine, StartScript};
use vm_tests::{KILL_SHELL, fresh, show_steps, start_script};

#[tokio::test]
async fn the_image_is_complete() {
    let vm = fresh("systemd").await;
    let state = vm
        .succeed("systemctl is-system-running --wait")
        .await
        .unwrap();
    assert_eq!(state, "running\n");
    assert_eq!(vm.succeed("hostname").await.unwrap(), "systemd\n");
    assert!(
        vm.succeed("getent hosts localhost")
            .await
            .unwrap()
            .contains("localhost")
    );
    vm.succeed("ip -4 addr show to 10.0.2.15/24 | grep -q inet")
        .await
        .unwrap();
    vm.succeed("command -v nc chvt curl ping nft ps")
        .await
        .unwrap();
    vm.succeed("echo from the guest >/tmp/shared/file")
        .await
        .unwrap();
    vm.succeed("grep -q ' /tmp/shared 9p ' /proc/mounts")
        .await
        .unwrap();
    let file = std::fs::read_to_string(vm.shared_dir().join("file")).unwrap();
    assert_eq!(file, "from the guest\n");
    // A local port.
    vm.succeed(
        "nc -l 127.0.0.1 8080 >/tmp/got &
        until echo hi | nc -N 127.0.0.1 8080; do sleep 0.1; done
        wait; grep -q hi /tmp/got",
    )
    .await
    .unwrap();
    vm.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_backdoor_is_restarted() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let error = vm.execute(KILL_SHELL).await.unwrap_err();
    assert!(error.to_string().contains("restarted"), "{error}");
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    assert_eq!(
        vm.succeed("systemctl is-active backdoor").await.unwrap(),
        "active\n"
    );
}

/// The image's system in memory acts as the initrd of the system on the disk.
#[tokio::test]
async fn leaves_the_initrd() {
    // The start script's arguments, and those for its initramfs and systemd.
    let append = "console=tty0 console=ttyS0 panic=-1 net.ifnames=0 no_timer_check tsc=unstable \
        vm.initrd root=/dev/vda rootfstype=ext4 rw norandmaps cryptomgr.notests acpi=noirq";
    let script = StartScript::new(start_script("systemd")).args(["-m", "2048", "-append", append]);
    show_steps();
    let vm = Machine::new(script).unwrap();
    let root = "findmnt --noheadings --output FSTYPE /";
    assert_eq!(vm.succeed(root).await.unwrap(), "tmpfs\n");
    vm.switch_root().await.unwrap();
    assert_eq!(vm.succeed(root).await.unwrap(), "ext4\n");
    vm.wait_for_unit("multi-user.target").await.unwrap();
    // The guest has left the initrd already.
    let error = vm.switch_root().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnitState { .. }),
        "{error}"
    );
}
