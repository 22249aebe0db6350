use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;

use machine::Container;
use vm_tests::{container, container_builder};

/// The messages of programs that are refused something.
const REFUSALS: [&str; 3] = [
    "Operation not permitted",
    "ermission denied",
    "Read-only file system",
];

/// The command fails because it is refused something.
async fn assert_refused(container: &Container, command: &str) {
    // Not all kernels have this.
    if command.contains("sysrq-trigger") && !Path::new("/proc/sysrq-trigger").exists() {
        return;
    }
    let output = container.execute(format!("{command} 2>&1")).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_refused = REFUSALS.iter().any(|refusal| text.contains(refusal));
    assert!(output.status() != 0 && is_refused, "{command}: {text}");
}

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
            "insmod /bin/true",
            "mknod /tmp/shared/disk b 254 0",
        ] {
            assert_refused(&one, &format!("{run} '{attempt}'")).await;
        }
        let nothing = "find / -xdev -type b; find /dev -type b; head -c 1 /proc/kcore";
        let found = one.execute(format!("{run} '{nothing}'")).await.unwrap();
        assert_eq!(found.stdout, b"");
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
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn root_that_undoes_the_mounts_is_another_user_of_the_host() {
    let one = container("one");
    let root = host_user_of_root(&one).await;
    assert!((0x8_0000..0x7000_0000).contains(&root), "{root}");
    let two = container("two");
    assert_ne!(root, host_user_of_root(&two).await);

    let bare = "mount -t proc proc /mnt; mount -t sysfs sysfs /srv; \
                umount -l /proc/sys /proc/sysrq-trigger /sys; \
                mount -o remount,rw,bind /proc/sys; mount -o remount,rw /proc /sys";
    // With newer versions of systemd-nspawn, it can't mount a sysfs.
    let undone = "! grep -E ' (/proc/sys|/proc/sysrq-trigger) ' /proc/self/mountinfo && \
                  test -e /mnt/sys/kernel/core_pattern";
    one.succeed(format!("unshare --mount sh -c \"{bare}; {undone}\""))
        .await
        .unwrap();
    for attempt in [
        "f=/mnt/sys/kernel/core_pattern; v=$(cat $f); echo \"$v\" >$f",
        "f=/proc/sys/kernel/core_pattern; v=$(cat $f); echo \"$v\" >$f",
        "f=/proc/sys/vm/swappiness; v=$(cat $f); echo \"$v\" >$f",
        "echo h >/mnt/sysrq-trigger",
        "echo h >/proc/sysrq-trigger",
        "f=/srv/kernel/mm/transparent_hugepage/enabled; v=$(cat $f); echo \"$v\" >$f",
    ] {
        let tried = format!("unshare --mount sh -c '{{ {bare}; }} 2>/dev/null; {attempt}'");
        assert_refused(&one, &tried).await;
    }
}

/// Root of a virtual machine beside a container can put any file there.
#[tokio::test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn what_is_shared_is_no_device_or_set_user_id_program() {
    let dir = tempfile::tempdir().unwrap();
    let one = container_builder("one").tmp_dir(dir.path());
    let one = one.build().unwrap();
    let copies = one.state_dir().join("copies");
    for (shared, host) in [
        ("/tmp/shared", one.shared_dir()),
        ("/run/vmwright/copies", &copies),
    ] {
        let id = "setpriv --reuid=1 --regid=1 --clear-groups";
        let copy = |to: &str| format!("cp /bin/id {to}/id; chmod 4755 {to}/id; {id} {to}/id -u");
        assert_eq!(one.succeed(copy("/srv")).await.unwrap(), "0\n");
        one.succeed(format!("chmod 0777 {shared}")).await.unwrap();
        assert_eq!(one.succeed(copy(shared)).await.unwrap(), "1\n");
        // No other user of the host can execute it.
        let mode = |dir: &Path| dir.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(host), mode(host.parent().unwrap())), (0o777, 0o700));

        assert_no_device(&one, shared, host).await;
        let remount = format!("mount -o remount,bind,dev,suid {shared}");
        assert_refused(&one, &remount).await;
    }
}

/// A device that the host has made in a directory that it shares can't be opened.
pub(super) async fn assert_no_device(container: &Container, shared: &str, host: &Path) {
    let mut mknod = Command::new("mknod");
    let made = mknod.arg(host.join("null")).args(["c", "1", "3"]).status();
    assert!(made.unwrap().success());
    container
        .succeed(format!("test -c {shared}/null"))
        .await
        .unwrap();
    assert_refused(container, &format!("cat {shared}/null")).await;
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
        let builder = container_builder(name).tmp_dir(dir.path());
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
