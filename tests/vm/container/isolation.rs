use std::fs;

use vm_tests::container;

/// A container shares the host's kernel, so this is a weaker wall than a machine's: see
/// `docs/threat-model.md`.
#[tokio::test]
#[ignore = "needs containers"]
async fn root_in_a_container_is_not_root_of_the_host() {
    let one = container("one");
    // In the root shell, which enters the container, and in a service of its systemd.
    for run in ["sh -c", "systemd-run --quiet --wait --pipe sh -c"] {
        for attempt in [
            "mknod /tmp/disk b 254 0",
            "mkdir -p /mnt/dev && mount -t devtmpfs devtmpfs /mnt/dev",
            "echo x >/proc/sys/kernel/core_pattern",
            "echo b >/proc/sysrq-trigger",
            "date --set=@0",
            "dmesg --clear",
            "modprobe dummy || insmod /dev/null",
            "mkdir -p /mnt/disk && mount /dev/vda /mnt/disk",
        ] {
            one.fail(format!("{run} '{attempt}'")).await.unwrap();
        }
    }
    // The host's processes and their sockets are not there.
    let processes = one.succeed("ls -d /proc/[0-9]* | wc -l").await.unwrap();
    assert!(processes.trim().parse::<u32>().unwrap() < 40, "{processes}");
    one.fail("ls /run/host/proc").await.unwrap();
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(sockets.lines().count() > 1);
    let listed = one.succeed("cat /proc/net/unix").await.unwrap();
    assert!(!listed.contains("vm-state-"), "{listed}");
    // Its network has no way out.
    assert_eq!(one.succeed("ls /sys/class/net").await.unwrap(), "lo\n");
}
