//! Other versions of Debian than that of the image `cloud`.

use std::fs;
use std::path::Path;
use std::process::Command;

use machine::{CloudImage, DiskImage, Machine, StartCommand};
use vm_tests::{show_steps, start_script};

use super::raw_image;

/// Boots the guest and returns the version of its systemd.
async fn systemd_of(name: &str, start: impl Into<StartCommand>) -> u32 {
    let vm = Machine::builder(start).name(name).build().unwrap();
    vm.wait_for_unit("multi-user.target").await.unwrap();
    if name != "disk" {
        vm.wait_for_cloud_init().await.unwrap();
        assert_eq!(vm.succeed("hostname").await.unwrap(), format!("{name}\n"));
    }
    let unit = "id -u; systemctl is-active vmwright-shell";
    assert_eq!(vm.succeed(unit).await.unwrap(), "0\nactive\n");
    let version = vm.succeed("systemctl --version").await.unwrap();
    vm.shutdown().await.unwrap();
    version.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Has systemd ignore credentials.
fn without_credentials(raw: &Path, dir: &Path) {
    let boot = format!("{}@@1M", raw.display());
    let file = dir.join("syslinux.cfg");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("mcopy")
            .args(["-o", "-i", &boot])
            .args([from, to])
            .status();
        assert!(copied.unwrap().success());
    };
    copy(Path::new("::syslinux.cfg"), &file);
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("APPEND ", "APPEND systemd.import_credentials=no ");
    fs::write(&file, text).unwrap();
    copy(&file, Path::new("::syslinux.cfg"));
}

/// By the seed alone, by credentials alone, and by both.
async fn each_way(image: &str) -> u32 {
    show_steps();
    let image = start_script(image);
    let dir = tempfile::tempdir().unwrap();
    let raw = raw_image(&image, dir.path());
    without_credentials(&raw, dir.path());
    let versions = [
        systemd_of("both", CloudImage::new(&image).name("both")).await,
        systemd_of("disk", DiskImage::new(&image)).await,
        systemd_of("seed", CloudImage::new(&raw).name("seed")).await,
    ];
    versions[0]
}

#[tokio::test]
#[ignore = "needs --all-guests"]
async fn debian_12() {
    assert_eq!(each_way("cloud").await, 252);
}

#[tokio::test]
#[ignore = "needs --all-guests"]
async fn debian_13() {
    assert_eq!(each_way("cloud-trixie").await, 257);
}

#[tokio::test]
#[ignore = "needs --all-guests"]
async fn debian_unstable() {
    assert!(each_way("cloud-sid").await > 257);
}

/// Its systemd knows no credentials.
#[tokio::test]
#[ignore = "needs --all-guests"]
async fn debian_11() {
    show_steps();
    let image = start_script("cloud-bullseye");
    let version = systemd_of("seed", CloudImage::new(image).name("seed")).await;
    assert_eq!(version, 247);
}
