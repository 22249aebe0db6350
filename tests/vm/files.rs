/// The directory through which files are copied.
mod directory;
/// What the errors of copies name.
mod errors;
/// Copies that fail, and files that are left out.
mod refused;

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use machine::{Machine, quote};
use sha2::{Digest as _, Sha256};
use vm_tests::{fresh, fresh_with};

/// Names that need quoting.
const ODD_NAMES: [&str; 5] = ["a b", "it's \"$HOME\"", "-rf", "new\nline", "back\\slash"];

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn guest_digest(vm: &Machine, path: &str) -> String {
    let command = format!("sha256sum <{}", quote(path).unwrap());
    let output = vm.succeed(command).await.unwrap();
    output
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next)
        .flatten()
        .take(bytes)
        .collect()
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::File::create(path).unwrap().write_all(content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn files_into_the_guest_and_back() {
    let host = tempfile::tempdir().unwrap();
    let out = host.path().join("out");
    let vm = fresh_with("systemd", |builder| builder.out_dir(&out)).await;
    let big = noise(10 << 20);
    write(&host.path().join("big"), &big, 0o640);
    vm.copy_from_host(host.path().join("big"), "/var/new/dir/copy")
        .await
        .unwrap();
    assert_eq!(
        guest_digest(&vm, "/var/new/dir/copy").await,
        hex_digest(&big)
    );
    let stat = vm
        .succeed("stat -c '%a %u %g' /var/new/dir/copy")
        .await
        .unwrap();
    assert_eq!(stat, "640 0 0\n");
    // Into an existing directory, and over a file with another mode.
    vm.copy_from_host(host.path().join("big"), "/root")
        .await
        .unwrap();
    vm.succeed("chmod 777 /root/big").await.unwrap();
    vm.copy_from_host(host.path().join("big"), "/root")
        .await
        .unwrap();
    assert_eq!(vm.succeed("stat -c %a /root/big").await.unwrap(), "640\n");

    let back = vm.copy_from_vm("/root/big", "").await.unwrap();
    assert_eq!(hex_digest(&fs::read(back).unwrap()), hex_digest(&big));
    // A requested link is followed in the guest.
    vm.succeed("ln -s /root/big /root/by-link").await.unwrap();
    let back = vm.copy_from_machine("/root/by-link", "").await.unwrap();
    assert_eq!(hex_digest(&fs::read(back).unwrap()), hex_digest(&big));
    assert_share_is_empty(&vm);
}

#[tokio::test]
async fn directories_into_the_guest_and_back() {
    let host = tempfile::tempdir().unwrap();
    let out = host.path().join("out");
    let vm = fresh_with("systemd", |builder| builder.out_dir(&out)).await;
    let tree = host.path().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    write(&tree.join("sub/run"), b"#!/bin/sh\necho it runs\n", 0o775);
    symlink("sub/run", tree.join("link")).unwrap();
    vm.copy_from_host(&tree, "/root/tree").await.unwrap();
    assert_eq!(vm.succeed("/root/tree/link").await.unwrap(), "it runs\n");
    assert_eq!(
        vm.succeed("stat -c %a /root/tree/sub/run").await.unwrap(),
        "775\n"
    );
    // Into the existing directory, under its own name.
    vm.copy_from_host(&tree, "/root/tree").await.unwrap();
    assert_eq!(
        vm.succeed("/root/tree/tree/link").await.unwrap(),
        "it runs\n"
    );

    // Back to the host, with a link inside the tree and one that leads out of it.
    vm.succeed("cd /root/tree; ln -sf sub/run link; ln -s /etc/passwd outside; mkfifo pipe")
        .await
        .unwrap();
    let copy = vm.copy_from_machine("/root/tree", "kept").await.unwrap();
    assert_eq!(copy, out.join("kept/tree"));
    assert_eq!(
        fs::read_link(copy.join("link")).unwrap(),
        Path::new("sub/run")
    );
    let script = fs::read(copy.join("link")).unwrap();
    assert_eq!(script, b"#!/bin/sh\necho it runs\n");
    assert!(!copy.join("outside").is_symlink() && !copy.join("pipe").exists());
    assert_share_is_empty(&vm);
}

fn assert_share_is_empty(vm: &Machine) {
    let left = fs::read_dir(vm.state_dir().join("copies")).unwrap().count();
    assert_eq!(left, 0, "the share is not empty");
}

/// With busybox's cp, xargs and chmod.
#[tokio::test]
async fn modes_are_kept() {
    let host = tempfile::tempdir().unwrap();
    let vm = fresh("minimal").await;
    let tree = host.path().join("a tree");
    let dirs = [
        ("", 0o750),
        ("sealed", 0o555),
        ("sealed/in it", 0o700),
        ("shared", 0o2775),
        ("for all", 0o1777),
    ];
    for (dir, _) in dirs {
        fs::create_dir(tree.join(dir)).unwrap();
    }
    write(&tree.join("sealed/in it/-x\ny"), b"", 0o4711);
    write(&tree.join("sealed/read-only"), b"", 0o444);
    let set = |mode_of: &dyn Fn(u32) -> u32| {
        for (dir, mode) in dirs {
            fs::set_permissions(tree.join(dir), Permissions::from_mode(mode_of(mode))).unwrap();
        }
    };
    set(&|mode| mode);
    let modes = "cd '/root/a tree'; find . -print0 | sort -z | xargs -0 stat -c %a | xargs";
    let expected = "750 1777 555 700 4711 444 2775\n";
    vm.copy_from_host(&tree, "/root").await.unwrap();
    assert_eq!(vm.succeed(modes).await.unwrap(), expected);
    // Over existing files with other modes.
    vm.succeed("chmod -R 777 '/root/a tree'").await.unwrap();
    vm.copy_from_host(&tree, "/root").await.unwrap();
    assert_eq!(vm.succeed(modes).await.unwrap(), expected);
    // The host must be able to remove them.
    set(&|mode| mode | 0o700);
}

#[tokio::test]
async fn a_copy_has_the_requested_name() {
    let host = tempfile::tempdir().unwrap();
    let vm = fresh("systemd").await;
    let dir = host.path().join("v1.2");
    fs::create_dir(&dir).unwrap();
    write(&dir.join("lib.so.1.2"), b"a library", 0o755);
    symlink("lib.so.1.2", dir.join("lib.so")).unwrap();
    symlink("v1.2", host.path().join("current")).unwrap();
    vm.succeed("mkdir /root/lib").await.unwrap();
    for source in ["v1.2/lib.so", "current", "v1.2/../current/."] {
        vm.copy_from_host(host.path().join(source), "/root/lib")
            .await
            .unwrap();
    }
    // A path that ends in `..` gets the name of its directory.
    vm.copy_from_host(dir.join(".."), "/root/lib")
        .await
        .unwrap();
    let copies = vm
        .succeed("cd /root/lib; find . -type f | sort")
        .await
        .unwrap();
    let all = host.path().file_name().unwrap().to_str().unwrap();
    let mut expected: Vec<String> = ["./current/lib.so", "./current/lib.so.1.2", "./lib.so"]
        .map(str::to_owned)
        .to_vec();
    for dir in ["current", "v1.2"] {
        expected.extend(["lib.so", "lib.so.1.2"].map(|name| format!("./{all}/{dir}/{name}")));
    }
    expected.sort();
    let copies: Vec<&str> = copies.lines().collect();
    assert_eq!(copies, expected);
}

#[tokio::test]
async fn copies_through_the_shell() {
    let host = tempfile::tempdir().unwrap();
    let vm = fresh("systemd").await;
    for bytes in [0, 1, 100_000, 5 << 20] {
        let content = noise(bytes);
        let path = host.path().join("file");
        write(&path, &content, 0o600);
        vm.copy_from_host_via_shell(&path, "/root/not/there/yet")
            .await
            .unwrap();
        assert_eq!(
            guest_digest(&vm, "/root/not/there/yet").await,
            hex_digest(&content)
        );
    }
    let file = host.path().join("file");
    let error = vm
        .copy_from_host_via_shell(&file, "/dev/full")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("No space left on device"),
        "{error}"
    );
    let error = vm
        .copy_from_host_via_shell(&file, "/root")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("irectory"), "{error}");
    vm.succeed("true").await.unwrap();
}

#[tokio::test]
async fn file_names_may_have_any_character() {
    let host = tempfile::tempdir().unwrap();
    let out = host.path().join("out");
    let vm = fresh_with("systemd", |builder| builder.out_dir(&out)).await;
    for name in ODD_NAMES {
        let source = host.path().join(name);
        write(&source, name.as_bytes(), 0o600);
        vm.copy_from_host(&source, "/root").await.unwrap();
        let guest_path = format!("/root/{name}");
        vm.wait_for_file(&guest_path).await.unwrap();
        let copy = vm.copy_from_machine(&guest_path, "").await.unwrap();
        assert_eq!(fs::read(copy).unwrap(), name.as_bytes());
        // A path relative to the root shell's directory.
        vm.copy_from_host_via_shell(&source, &format!("shell/{name}"))
            .await
            .unwrap();
        let path = quote(name).unwrap().into_owned();
        let content = vm
            .succeed(format!("cd shell; cat -- {path}"))
            .await
            .unwrap();
        assert_eq!(content, name);
    }
    assert_eq!(vm.succeed("ls -q shell | wc -l").await.unwrap(), "5\n");
}

#[tokio::test]
async fn a_file_that_appears() {
    let vm = fresh("systemd").await;
    vm.succeed("ln -s /root /tmp/way; (sleep 1; touch '/root/a new one') >&2 &")
        .await
        .unwrap();
    vm.wait_for_file("/root/a new one").await.unwrap();
    let patient = vm.within(std::time::Duration::from_secs(1));
    let error = patient
        .wait_for_file("/tmp/way/no/such/file")
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    let message = error.to_string();
    assert!(message.contains("file /tmp/way/no/such/file"), "{message}");
    assert!(
        message.contains("/tmp/way:") && message.contains("a new one"),
        "{message}"
    );
}
