use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use machine::ErrorKind;
use vm_tests::{fresh, fresh_with};

#[tokio::test]
async fn errors_name_the_right_side() {
    let host = tempfile::tempdir().unwrap();
    let out = host.path().join("out");
    let vm = fresh_with("systemd", |builder| builder.out_dir(&out)).await;
    // A file where a directory is needed, on the host.
    fs::create_dir(&out).unwrap();
    fs::write(out.join("plain"), "").unwrap();
    let error = vm.copy_from_vm("/etc/hostname", "plain").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::HostFile { .. }),
        "{error}"
    );
    let reason = format!("the directory {}/plain can't be created", out.display());
    assert!(error.to_string().contains(&reason), "{error}");
    // What can't be copied, in the guest.
    for source in ["/dev/null", "/dev/vda", "/run/systemd/notify"] {
        let error = vm.copy_from_vm(source, "").await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::GuestCopy { .. }),
            "{error}"
        );
        let reason = format!("{source} is neither a file nor a directory");
        assert!(error.to_string().contains(&reason), "{error}");
    }
    // A name that is no text.
    let odd = host.path().join(OsStr::from_bytes(b"\xff"));
    fs::write(&odd, "").unwrap();
    let error = vm.copy_from_host(&odd, "/root").await.unwrap_err();
    assert!(error.to_string().contains("is not UTF-8"), "{error}");
    let dir = host.path().join("dir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join(odd.file_name().unwrap()), "").unwrap();
    vm.copy_from_host(&dir, "/root").await.unwrap();
    vm.succeed("[ -e /root/dir/$'\\xff' ]").await.unwrap();
}

#[tokio::test]
async fn a_copy_through_the_shell_needs_dd() {
    let vm = fresh("systemd").await;
    vm.succeed("mv /usr/bin/dd /root").await.unwrap();
    let file = "/etc/hostname";
    let error = vm.copy_from_host_via_shell(file, "/root/h").await;
    let message = error.unwrap_err().to_string();
    assert_eq!(message.matches("installed").count(), 1, "{message}");
    assert!(message.contains("dd is not installed"), "{message}");
    vm.succeed("mv /root/dd /usr/bin").await.unwrap();
    vm.copy_from_host_via_shell(file, "/root/h").await.unwrap();
}
