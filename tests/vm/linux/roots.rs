use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{ErrorKind, Machine, Template};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use vm_tests::{KILL_SHELL, start_script};

use super::Kernel;
use crate::guests::refused::{refused, refused_unchanged};

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn installed(program: &str) -> PathBuf {
    let found = run(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]));
    found.trim_end().into()
}

/// Fills `root` with busybox, and no bash.
pub(crate) fn install_busybox(root: &Path) {
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(installed("busybox"), bin.join("busybox")).unwrap();
    for applet in run(Command::new("busybox").arg("--list")).lines() {
        if applet != "busybox" {
            symlink("busybox", bin.join(applet)).unwrap();
        }
    }
}

/// The names, sizes and times of what is in a directory.
fn listing(dir: &Path) -> Vec<(PathBuf, u64, i64, i64)> {
    let mut listing = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = path.symlink_metadata().unwrap();
        if file.is_dir() {
            listing.extend(self::listing(&path));
        }
        listing.push((path, file.size(), file.ctime(), file.ctime_nsec()));
    }
    listing.sort();
    listing
}

/// Without bash in it: the host's is used.
#[tokio::test]
async fn a_directory_and_an_archive_with_busybox() {
    let kernel = Kernel::unpacked();
    let [root, cache] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    install_busybox(root.path());
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/file"), "text").unwrap();
    let before = listing(root.path());
    let start = kernel.linux().name("small").root_dir(root.path());
    let template = Template::builder(start)
        .cache_dir(cache.path())
        .succeed("echo more >>/etc/file; mkdir /tmp");
    let template = template.build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let vm = template.clone_machine().await.unwrap();
    let seen = "id -u; hostname; cat /etc/file; stat -c %u /etc/file; cat /proc/1/comm";
    assert_eq!(
        vm.succeed(seen).await.unwrap(),
        "0\nsmall\ntextmore\n0\nbusybox\n"
    );
    vm.execute(KILL_SHELL).await.unwrap_err();
    vm.succeed("nc -l -p 4321 >/dev/null 2>&1 &").await.unwrap();
    vm.wait_for_open_port(4321).await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    vm.succeed("rm /etc/file").await.unwrap();
    vm.restore(&snapshot).await.unwrap();
    vm.succeed("test -e /etc/file").await.unwrap();
    vm.shutdown().await.unwrap();
    assert_eq!(before, listing(root.path()), "the directory was changed");

    let archive = cache.path().join("root.tar.gz");
    let mut tar = Command::new("tar");
    tar.args(["--owner=7", "--group=8", "-caf"]).arg(&archive);
    run(tar.arg("-C").arg(root.path()).args(["bin", "etc"]));
    let vm = Machine::new(kernel.linux().root_tar(&archive)).unwrap();
    let seen = "stat -c %u:%g /etc/file; cat /etc/file; [ ! -e /tmp ] && echo empty";
    assert_eq!(vm.succeed(seen).await.unwrap(), "7:8\ntextempty\n");

    fs::remove_file(root.path().join("bin/sh")).unwrap();
    let error = refused(kernel.linux().root_dir(root.path())).await;
    assert!(matches!(error.kind(), ErrorKind::Root { .. }), "{error}");
    assert!(error.to_string().contains("no /bin/sh"), "{error}");
}

/// An OCI layout of an image with these layers.
pub(crate) fn oci_layout(dir: &Path, architecture: &str, layers: &[&Path]) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let add = |contents: &[u8]| {
        let digest: String = Sha256::digest(contents)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        fs::write(blobs.join(&digest), contents).unwrap();
        json!({ "digest": format!("sha256:{digest}"), "size": contents.len() })
    };
    let config = json!({ "architecture": architecture, "os": "linux" });
    let config = add(config.to_string().as_bytes());
    let layers: Vec<_> = layers
        .iter()
        .map(|path| add(&fs::read(path).unwrap()))
        .collect();
    let manifest = add(json!({ "config": config, "layers": layers })
        .to_string()
        .as_bytes());
    let index = json!({ "manifests": [manifest] }).to_string();
    fs::write(dir.join("index.json"), index).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

#[tokio::test]
async fn what_is_no_root() {
    let kernel = Kernel::unpacked();
    let dir = tempfile::tempdir().unwrap();
    let [text, tar, layout] = ["text", "root.tar", "layout"].map(|name| dir.path().join(name));
    fs::write(&text, "no archive").unwrap();
    // What an archive may hold that is not for the host, under another name than in `/dev`.
    for (name, member, reason) in [
        ("../file", "etc/hostname", "`..`"),
        ("etc/null", "dev/null", "devices are only expected in /dev"),
    ] {
        let rename = format!("--transform=s,^{member}$,{name},");
        let mut archive = Command::new("tar");
        archive.args(["-P", "-C", "/", &rename, "-cf"]).arg(&tar);
        run(archive.arg(member));
        let error = refused_unchanged(&tar, kernel.linux().root_tar(&tar)).await;
        assert!(matches!(error.kind(), ErrorKind::Root { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains(reason) && message.contains(name),
            "{error}"
        );
    }
    let error = refused_unchanged(&text, kernel.linux().root_tar(&text)).await;
    assert!(matches!(error.kind(), ErrorKind::Root { .. }), "{error}");
    oci_layout(&layout, "arm64", &[]);
    let before = listing(&layout);
    let error = refused(kernel.linux().oci_layout(&layout)).await;
    let message = error.to_string();
    assert!(
        message.contains("no image for amd64, only for arm64"),
        "{error}"
    );
    assert_eq!(before, listing(&layout), "the layout was changed");
}

/// The image `systemd` without what it has for the driver, in two layers.
#[tokio::test]
async fn a_container_image_with_systemd() {
    let kernel = Kernel::unpacked();
    let dir = tempfile::tempdir().unwrap();
    let [tree, above, layout] = ["tree", "above", "layout"].map(|name| dir.path().join(name));
    fs::create_dir(&tree).unwrap();
    let disk = start_script("systemd").with_file_name("disk.raw");
    let dump = format!("rdump / {}", tree.display());
    run(Command::new("/sbin/debugfs").args(["-R", &dump]).arg(disk));
    // The driver loads those that the guest needs.
    fs::remove_dir_all(tree.join("usr/lib/modules")).unwrap();
    let layers = ["below.tar", "above.tar.gz"].map(|name| dir.path().join(name));
    fs::create_dir_all(above.join("etc/systemd/system")).unwrap();
    fs::write(above.join("etc/layered"), "").unwrap();
    fs::write(above.join("etc/systemd/system/.wh.backdoor.service"), "").unwrap();
    let tar = |archive: &Path, tree: &Path| {
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--mtime=@0", "-caf"]).arg(archive);
        run(tar.arg("-C").arg(tree).arg("."));
    };
    tar(&layers[0], &tree);
    tar(&layers[1], &above);
    oci_layout(&layout, "amd64", &layers.each_ref().map(PathBuf::as_path));
    fs::remove_dir_all(&tree).unwrap();

    let start = kernel.linux().name("contained").oci_layout(&layout);
    let vm = Machine::new(start).unwrap();
    vm.wait_for_unit("multi-user.target").await.unwrap();
    let seen = "hostname; ls /etc/layered; stat -c '%U:%G %a' /etc/shadow; systemctl is-active vmwright-shell";
    assert_eq!(
        vm.succeed(seen).await.unwrap(),
        "contained\n/etc/layered\nroot:shadow 640\nactive\n"
    );
    vm.fail("systemctl cat backdoor.service").await.unwrap();
    vm.execute(KILL_SHELL).await.unwrap_err();
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    vm.shutdown().await.unwrap();
}
