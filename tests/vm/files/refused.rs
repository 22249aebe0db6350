use std::fs;
use std::path::Path;

use machine::ErrorKind;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use vm_tests::{fresh, fresh_with};

#[tokio::test]
async fn devices_are_left_out() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("minimal", |builder| builder.out_dir(out.path())).await;
    vm.succeed("mkdir -p /root/tree/sub; cd /root/tree; echo text >file")
        .await
        .unwrap();
    vm.succeed("cd /root/tree; mknod null c 1 3; mknod sub/disk b 254 0; mkfifo pipe {1..2000}")
        .await
        .unwrap();
    let copy = vm.copy_from_machine("/root/tree", "").await.unwrap();
    let names = |dir: &Path| {
        let names = fs::read_dir(dir).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&copy), ["file", "sub"]);
    assert_eq!(names(&copy.join("sub")), [""; 0]);
    for device in ["/dev/null", "/dev/vda", "/root/tree/pipe"] {
        let error = vm.copy_from_machine(device, "").await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::GuestCopy { .. } | ErrorKind::HostFile { .. }
            ),
            "{error}"
        );
    }
    assert_eq!(names(out.path()), ["tree"]);
    let left = fs::read_dir(vm.state_dir().join("copies")).unwrap().count();
    assert_eq!(left, 0, "the share is not empty");
}

#[tokio::test]
async fn copies_of_what_is_no_file_of_the_host_fail() {
    let vm = fresh("systemd").await;
    vm.connect().await.unwrap();
    let error = vm
        .copy_from_host("/no/such/file", "/root")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::HostFile { .. }),
        "{error}"
    );
    let error = vm
        .copy_from_host_via_shell("/no/such", "/root/x")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::HostFile { .. }),
        "{error}"
    );
    let host = tempfile::tempdir().unwrap();
    let fifo = host.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    for source in [&*fifo, host.path(), Path::new("/dev/null")] {
        let copied = vm.copy_from_host_via_shell(source, "/root/x").await;
        let error = copied.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::HostFile { .. }),
            "{error}"
        );
    }
    let error = vm.copy_from_host("/dev/null", "/root").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::HostFile { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn copies_that_the_guest_refuses_fail() {
    let vm = fresh("systemd").await;
    let error = vm
        .copy_from_host("/etc/hostname", "/proc/no")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::GuestCopy { .. }),
        "{error}"
    );
    let error = vm.copy_from_machine("/no/such", "").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::GuestCopy { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("No such file"), "{error}");
    for path in ["/", "..", ""] {
        let error = vm.copy_from_machine(path, "").await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BadArgument { .. }),
            "{error}"
        );
    }
    let error = vm
        .copy_from_host("/etc/hostname", "nul\0")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BadArgument { .. }),
        "{error}"
    );
}
