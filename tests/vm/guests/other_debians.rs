//! Other versions of Debian than that of the image `cloud`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use machine::{CloudImage, DiskImage, Machine, StartCommand};
use vm_tests::{show_steps, start_script};

use super::raw_image;

/// Boots the guest and checks what its shell is. Returns the machine and systemd's version.
async fn booted(name: &str, start: impl Into<StartCommand>) -> (Machine, u32) {
    let vm = Machine::builder(start).name(name).build().unwrap();
    vm.wait_for_unit("multi-user.target").await.unwrap();
    let unit = "id -u; systemctl is-active vmwright-shell";
    assert_eq!(vm.succeed(unit).await.unwrap(), "0\nactive\n");
    let version = vm.succeed("systemctl --version").await.unwrap();
    let version = version.split_whitespace().nth(1).unwrap().parse().unwrap();
    (vm, version)
}

/// The same for a guest with a seed, which cloud-init reads.
async fn seeded(name: &str, image: &Path) -> (Machine, u32) {
    let (vm, version) = booted(name, CloudImage::new(image).name(name)).await;
    vm.wait_for_cloud_init().await.unwrap();
    assert_eq!(vm.succeed("hostname").await.unwrap(), format!("{name}\n"));
    (vm, version)
}

async fn by_both(image: &str) -> u32 {
    show_steps();
    let (vm, version) = seeded("both", &start_script(image)).await;
    vm.shutdown().await.unwrap();
    version
}

async fn by_credentials(image: &str) -> u32 {
    show_steps();
    let (vm, version) = booted("disk", DiskImage::new(start_script(image))).await;
    vm.shutdown().await.unwrap();
    version
}

async fn by_seed(image: &str) -> u32 {
    show_steps();
    let image = start_script(image);
    let dir = tempfile::tempdir().unwrap();
    let raw = raw_image(&image, dir.path());
    without_credentials(&raw, dir.path());
    let (vm, version) = seeded("seed", &raw).await;
    let command_line = vm.succeed("cat /proc/cmdline").await.unwrap();
    assert!(
        command_line.contains("import_credentials=no"),
        "{command_line}"
    );
    // Neither the rule for older versions nor a unit has come by credentials.
    vm.fail("ls /run/credentials/@system/* /run/udev/rules.d/*vmwright*")
        .await
        .unwrap();
    vm.shutdown().await.unwrap();
    version
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
    let changed = text.replace("APPEND ", "APPEND systemd.import_credentials=no ");
    assert_ne!(changed, text);
    fs::write(&file, changed).unwrap();
    copy(&file, Path::new("::syslinux.cfg"));
}

#[tokio::test]
#[ignore = "needs --all-guests"]
async fn debian_12_by_seed() {
    assert_eq!(by_seed("cloud").await, 252);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-trixie"]
async fn debian_13_by_both() {
    assert_eq!(by_both("cloud-trixie").await, 257);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-trixie"]
async fn debian_13_by_credentials() {
    assert_eq!(by_credentials("cloud-trixie").await, 257);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-trixie"]
async fn debian_13_by_seed() {
    assert_eq!(by_seed("cloud-trixie").await, 257);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-sid"]
async fn debian_unstable_by_both() {
    assert!(by_both("cloud-sid").await > 257);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-sid"]
async fn debian_unstable_by_credentials() {
    assert!(by_credentials("cloud-sid").await > 257);
}

#[tokio::test]
#[ignore = "needs --all-guests: cloud-sid"]
async fn debian_unstable_by_seed() {
    assert!(by_seed("cloud-sid").await > 257);
}

/// Its systemd knows no credentials, and its bash can't be relied on to end a read in time.
#[tokio::test]
#[ignore = "needs --all-guests: cloud-bullseye"]
async fn debian_11_by_seed() {
    show_steps();
    let image = start_script("cloud-bullseye");
    let (vm, version) = seeded("seed", &image).await;
    assert_eq!(version, 247);
    vm.succeed("python3 -m http.server 8000 >/dev/null 2>&1 &")
        .await
        .unwrap();
    vm.wait_for_open_port(8000).await.unwrap();
    vm.succeed("kill $(pgrep -f http.server)").await.unwrap();
    vm.wait_for_closed_port(8000).await.unwrap();
    // Connects, as the address is not one of the guest's. Nothing answers.
    let error = vm
        .within(Duration::from_secs(15))
        .wait_for_open_port_at("10.0.2.77", 80)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    vm.shutdown().await.unwrap();
}
