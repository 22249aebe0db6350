use std::fs;
use std::os::unix::fs::FileTypeExt as _;

use machine::Container;
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
            "f=/proc/sys/kernel/core_pattern; v=$(cat $f); echo \"$v\" >$f",
            "echo h >/proc/sysrq-trigger",
            "date --set=@0",
            "dmesg --clear",
            "modprobe dummy || insmod /dev/null",
            "mkdir -p /mnt/disk && mount /dev/vda /mnt/disk",
            "test -r /proc/kcore && head -c 1 /proc/kcore | grep -q .",
            "mknod /tmp/shared/disk b 254 0",
        ] {
            one.fail(format!("{run} '{attempt}'")).await.unwrap();
        }
    }
    // A device that reached it all the same would not be one.
    let options = one.succeed("awk '$5 == \"/\" {print $6}' /proc/self/mountinfo");
    assert!(options.await.unwrap().contains("nodev"));
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

/// The mounts over the host's kernel settings are no wall: the users are.
#[tokio::test]
#[ignore = "needs containers"]
async fn root_that_undoes_the_mounts_is_another_user_of_the_host() {
    let one = container("one");
    let root = host_user_of_root(&one).await;
    assert!((0x8_0000..0x7000_0000).contains(&root), "{root}");
    let two = container("two");
    assert_ne!(root, host_user_of_root(&two).await);

    let bare = "mount -t proc proc /mnt; mount -t sysfs sysfs /srv; \
                umount -l /proc/sys /proc/sysrq-trigger /sys; \
                mount -o remount,rw,bind /proc/sys; mount -o remount,rw /proc /sys";
    for attempt in [
        "f=/mnt/sys/kernel/core_pattern; v=$(cat $f); echo \"$v\" >$f",
        "f=/proc/sys/kernel/core_pattern; v=$(cat $f); echo \"$v\" >$f",
        "f=/proc/sys/vm/swappiness; v=$(cat $f); echo \"$v\" >$f",
        "echo h >/mnt/sysrq-trigger || echo h >/proc/sysrq-trigger",
        "f=/srv/kernel/mm/transparent_hugepage/enabled; v=$(cat $f); echo always >$f",
    ] {
        let tried = format!("unshare --mount sh -c '{bare}; {attempt}'");
        one.fail(tried).await.unwrap();
    }
    // Modules: with all its capabilities.
    one.fail("unshare --mount sh -c 'mount -t proc proc /mnt; insmod /bin/true'")
        .await
        .unwrap();
}

/// Which user of the host the container's root is.
async fn host_user_of_root(container: &Container) -> u32 {
    let map = container.succeed("cat /proc/self/uid_map").await.unwrap();
    map.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs containers"]
async fn files_of_the_host_and_of_others_are_not_reached() {
    let dir = tempfile::tempdir().unwrap();
    let build = |name: &str| {
        let builder = vm_tests::container_builder(name).tmp_dir(dir.path());
        builder.build().unwrap()
    };
    let (one, two) = (build("one"), build("two"));
    two.succeed("echo secret >/root/marker-of-two; chmod 0777 /root /root/marker-of-two")
        .await
        .unwrap();
    fs::write(dir.path().join("marker-of-the-host"), "").unwrap();
    let found = one
        .succeed(
            "find / -name proc -prune -o -name 'marker-of-*' -print -o -name 'vm-state-*' -print \
             -o -name console.log -print 2>/dev/null || :",
        )
        .await
        .unwrap();
    assert_eq!(found, "");
    // Links do not lead out of the directories that it shares.
    let path = dir.path().join("marker-of-the-host").display().to_string();
    one.succeed(format!("ln -s {path} /tmp/shared/link"))
        .await
        .unwrap();
    one.fail("cat /tmp/shared/link").await.unwrap();
    one.fail(format!("cat {path} /tmp/shared/../../{path}"))
        .await
        .unwrap();

    // What they share belongs to the root of both, and to root of the host.
    one.succeed("echo both >/tmp/shared/file; mkfifo /tmp/shared/pipe")
        .await
        .unwrap();
    let owner = two.succeed("stat -c %u /tmp/shared/file").await.unwrap();
    assert_eq!(owner, "0\n");
    for entry in fs::read_dir(one.shared_dir()).unwrap() {
        let kind = entry.unwrap().file_type().unwrap();
        assert!(!kind.is_block_device() && !kind.is_char_device());
    }
    two.succeed("echo more >>/tmp/shared/file; rm /tmp/shared/pipe")
        .await
        .unwrap();
}
