use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{Container, ContainerCommand, ErrorKind};
use vm_tests::{container_builder, container_root, show_steps};

use super::isolation::assert_no_device;
use crate::linux::roots::{oci_layout, run};

/// The image `container` in a layer, and a layer above it.
#[tokio::test]
#[ignore = "needs containers"]
async fn an_oci_layout_is_unpacked_once() {
    show_steps();
    let dir = tempfile::tempdir().unwrap();
    let [above, layout] = ["above", "layout"].map(|name| dir.path().join(name));
    fs::create_dir_all(above.join("etc")).unwrap();
    fs::write(above.join("etc/layered"), "").unwrap();
    fs::write(above.join("etc/.wh.issue"), "").unwrap();
    let program = above.join("etc/program");
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4711)).unwrap();
    let layers = ["below.tar", "above.tar.gz"].map(|name| dir.path().join(name));
    for (layer, tree) in layers.iter().zip([&container_root(), &above]) {
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--mtime=@0", "-caf"]).arg(layer);
        run(tar.arg("-C").arg(tree).arg("."));
    }
    oci_layout(&layout, "amd64", &layers.each_ref().map(PathBuf::as_path));

    let build = |name: &str| {
        let command = ContainerCommand::new(name).oci_layout(&layout);
        Container::new(command).unwrap()
    };
    let (one, two) = (build("one"), build("two"));
    one.wait_for_unit("multi-user.target").await.unwrap();
    let seen = "ls /etc/layered; stat -c '%U:%G %a' /etc/shadow /etc/program; touch /etc/new";
    assert_eq!(
        one.succeed(seen).await.unwrap(),
        "/etc/layered\nroot:shadow 640\nroot:root 4711\n"
    );
    one.fail("test -e /etc/issue").await.unwrap();
    two.fail("test -e /etc/new").await.unwrap();

    // The user's files are not the unpacked ones, which other users can't reach.
    let cache = machine::cache_dir().unwrap().join("roots");
    let trees = fs::read_dir(cache).unwrap().flatten();
    let mut trees = trees.filter(|entry| entry.path().join("root/etc/layered").exists());
    let mode = trees.next().unwrap().metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o700);

    let error = Container::new(ContainerCommand::new("three").oci_layout(&above));
    let error = error.unwrap().start().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Root { .. }), "{error}");
    assert!(error.to_string().contains("it is no OCI layout"), "{error}");
}

/// A directory on an overlay, as in other containers; unmounted on drop.
struct OnOverlay(tempfile::TempDir);

impl OnOverlay {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let options = format!("lowerdir={path}/lower,upperdir={path}/upper,workdir={path}/work");
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "-o", &options, "overlay"]);
        run(mount.arg(dir.path().join("merged")));
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("merged")
    }
}

impl Drop for OnOverlay {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|it| it.success()));
    }
}

#[tokio::test]
#[ignore = "needs containers, /dev/net/tun and root of the host"]
async fn changes_are_in_memory_where_no_overlay_can_be() {
    let dir = OnOverlay::new();
    let one = container_builder("one")
        .tmp_dir(dir.path())
        .build()
        .unwrap();
    one.succeed("echo text >/root/file").await.unwrap();
    one.reboot().await.unwrap();
    one.succeed("cat /root/file; echo shared >/tmp/shared/file")
        .await
        .unwrap();
    assert!(one.shared_dir().join("file").exists());
    assert_no_device(&one, "/tmp/shared", one.shared_dir()).await;
    // An overlay can't be mounted with other users.
    let map = one.succeed("cat /proc/self/uid_map").await.unwrap();
    assert_eq!(map.split_whitespace().nth(1), Some("0"));
    one.shutdown().await.unwrap();
    one.fail("test -e /root/file").await.unwrap();
    drop(one);

    let kept = container_builder("kept")
        .tmp_dir(dir.path())
        .keep_state(true);
    let error = kept.build().unwrap().start().await.unwrap_err().to_string();
    assert!(
        error.contains("the container's state can't be kept in"),
        "{error}"
    );
    assert_nothing_is_mounted(&dir.path());
}

fn assert_nothing_is_mounted(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = format!("{}/", dir.display());
    assert!(!mounts.contains(&below), "{mounts}");
}
