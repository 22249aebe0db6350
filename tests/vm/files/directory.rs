use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use machine::{ErrorKind, Machine, StartScript};
use vm_tests::{fresh, fresh_with, show_steps, start_script};

#[tokio::test]
async fn it_is_mounted_on_demand() {
    let vm = fresh("systemd").await;
    vm.succeed("systemctl stop tmp-shared.automount; modprobe -r 9p; rmdir /tmp/shared")
        .await
        .unwrap();
    vm.copy_from_host("/etc/passwd", "/root/passwd")
        .await
        .unwrap();
    let text = fs::read_to_string("/etc/passwd").unwrap();
    assert_eq!(vm.succeed("cat /root/passwd").await.unwrap(), text);
    // A guest that can neither mount it nor unpack archives.
    vm.succeed("umount /run/vmwright/copies; modprobe -r 9p; mv /lib/modules /lib/gone")
        .await
        .unwrap();
    vm.copy_from_host("/etc/hostname", "/root/hostname")
        .await
        .unwrap();
    vm.succeed("rm /bin/tar").await.unwrap();
    let error = vm
        .copy_from_host("/etc/passwd", "/root/passwd")
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Share { .. }), "{error}");
}

#[tokio::test]
async fn other_mounts_may_hide_it() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("systemd", |builder| builder.out_dir(out.path())).await;
    for hidden in ["/tmp/shared", "/tmp"] {
        vm.succeed(format!("ls /tmp/shared; mount -t tmpfs none {hidden}"))
            .await
            .unwrap();
        vm.copy_from_host("/etc/hostname", "/root/h").await.unwrap();
        let copy = vm.copy_from_machine("/root/h", "").await.unwrap();
        assert_eq!(fs::read(copy).unwrap(), fs::read("/etc/hostname").unwrap());
    }
    // Archives do not need it, but `tar`.
    vm.succeed("mount -t tmpfs none /run/vmwright")
        .await
        .unwrap();
    vm.copy_from_host("/etc/passwd", "/root/h").await.unwrap();
    vm.succeed("mv /bin/tar /bin/gone").await.unwrap();
    let error = vm
        .copy_from_host("/etc/hostname", "/root/h")
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Share { .. }), "{error}");
    let reason = "/run/vmwright/copies is mounted, but hidden by another mount";
    assert!(error.to_string().contains(reason), "{error}");
    vm.succeed("umount /run/vmwright").await.unwrap();
    vm.copy_from_host("/etc/hostname", "/root/h").await.unwrap();
}

/// As that of RHEL.
#[tokio::test]
async fn a_qemu_without_9p_starts() {
    show_steps();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("run-plain-vm");
    let minimal = start_script("minimal");
    let text = format!(
        "#!/bin/sh
        for arg; do
            [ \"$arg\" != -fsdev ] || {{ echo '-fsdev x: fsdev support is disabled' >&2; exit 1; }}
        done
        exec {} \"$@\"\n",
        minimal.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let start = StartScript::new(&script);
    let vm = Machine::builder(start).out_dir(dir.path()).build().unwrap();
    // The directory that all machines share is there, but another one could change a copy in it.
    vm.succeed("grep -q ' /tmp/shared ' /proc/mounts")
        .await
        .unwrap();
    let last_change = || fs::metadata(vm.shared_dir()).unwrap().modified().unwrap();
    let before = last_change();
    vm.copy_from_host_via_shell("/etc/hostname", "/root/h")
        .await
        .unwrap();
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("file"), "text").unwrap();
    vm.copy_from_host(tree.path(), "/root/tree").await.unwrap();
    assert_eq!(vm.succeed("cat /root/tree/file /root/h").await.unwrap(), {
        "text".to_owned() + &fs::read_to_string("/etc/hostname").unwrap()
    });
    let copy = vm.copy_from_machine("/root/tree", "").await.unwrap();
    assert_eq!(fs::read(copy.join("file")).unwrap(), b"text");
    // Nothing was created in it, even for a moment.
    assert_eq!(last_change(), before);
}
