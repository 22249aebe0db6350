//! Initrds with another init than the driver's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use machine::{Linux, Machine, QemuCommand, Template};
use vm_tests::{SOON, show_steps, start_script};

use crate::guests::refused::empty_image;

#[tokio::test]
#[ignore = "needs --all-guests: installer"]
async fn the_installer_on_the_serial_console() {
    show_steps();
    // The disk to install on, and to keep snapshots on.
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk.qcow2");
    empty_image(&disk, "1G");
    let disk = format!("if=virtio,format=qcow2,file={}", disk.display());
    let kernel = start_script("installer");
    let initrd = kernel.with_file_name("text.gz");
    let start = Linux::new(kernel)
        .name("installer")
        .initrd(initrd)
        .args(["-drive", &disk]);
    let vm = Machine::new(start).unwrap();
    assert_eq!(vm.succeed("id -u").await.unwrap(), "0\n");
    vm.succeed("grep installer /etc/lsb-release").await.unwrap();
    let patient = vm.within(SOON);
    let shows = |pattern| patient.wait_for_console_screen(pattern);
    shows("Select a language").await.unwrap();
    vm.send_console("\r").await.unwrap();
    shows("Select your location").await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    vm.send_console("\x1b[A\r").await.unwrap();
    shows("Configure the keyboard").await.unwrap();
    vm.restore(&snapshot).await.unwrap();
    shows("Select your location").await.unwrap();
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
}

#[tokio::test]
#[ignore = "needs --all-guests: installer"]
async fn an_installer_continues_from_a_template() {
    show_steps();
    let kernel = start_script("installer");
    let initrd = kernel.with_file_name("text.gz");
    let start = Linux::new(kernel).name("installer").initrd(initrd);
    let dir = tempfile::tempdir().unwrap();
    let template = Template::builder(start).cache_dir(dir.path());
    let template = template.succeed("echo saved >/file").build().await.unwrap();
    let vm = template.clone_machine().await.unwrap();
    assert_eq!(vm.succeed("cat /file").await.unwrap(), "saved\n");
    let patient = vm.within(SOON);
    patient
        .wait_for_console_screen("Select a language")
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs --all-guests: installer"]
async fn the_graphical_installer() {
    show_steps();
    // Without a serial console, on which the installer would also run.
    let kernel = start_script("installer");
    let initrd = kernel.with_file_name("graphical.gz");
    let start = QemuCommand::new("installer")
        .memory_mib(1024)
        .kernel(kernel, initrd, "vga=788")
        .args(["-device", "virtio-tablet-pci"]);
    let vm = Machine::builder(start).without_shell().build().unwrap();
    vm.start().await.unwrap();
    // It starts an X server.
    let patient = vm.within(Duration::from_mins(5));
    patient.wait_for_text("Select a language").await.unwrap();
    vm.click_text("Continue").await.unwrap();
    patient.wait_for_text("Select your location").await.unwrap();
}

/// Copies a file of the image's boot partition to `dir`.
fn boot_file(image: &Path, name: &str, dir: &Path) -> PathBuf {
    let file = dir.join(name);
    let copied = Command::new("mcopy")
        .args(["-i", &format!("{}@@1M", image.display())])
        .arg(format!("::{name}"))
        .arg(&file)
        .status();
    assert!(copied.unwrap().success());
    file
}

/// The kernel and the initrd of Debian 12's cloud image.
#[tokio::test]
#[ignore = "needs --all-guests"]
async fn an_initrd_of_initramfs_tools() {
    let dir = tempfile::tempdir().unwrap();
    let image = start_script("cloud");
    let raw = crate::guests::raw_image(&image, dir.path());
    let [kernel, initrd] = ["vmlinuz", "initrd.img"].map(|name| boot_file(&raw, name, dir.path()));
    boots_by(kernel, initrd, "LABEL=root", &raw).await;
}

/// With systemd in the initrd, too.
#[tokio::test]
#[ignore = "needs --all-guests: other-init"]
async fn an_initrd_of_dracut() {
    const MAKE_DISK: &str = r#"
        mkdir root
        tar -C root --exclude='./dev/*' -xf "$1"
        mv root/boot/vmlinuz-* vmlinuz
        mv root/boot/initrd.img-* initrd.img
        mke2fs -q -t ext4 -d root disk 1G"#;
    let dir = tempfile::tempdir().unwrap();
    let archive = start_script("other-init").with_file_name("dracut.tar");
    let mut make = Command::new("fakeroot");
    make.args(["sh", "-euc", MAKE_DISK, "sh"])
        .arg(archive)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(dir.path());
    assert!(make.status().unwrap().success());
    let [kernel, initrd, disk] =
        ["vmlinuz", "initrd.img", "disk"].map(|name| dir.path().join(name));
    boots_by(kernel, initrd, "/dev/vda", &disk).await;
}

/// Boots a root with systemd by an initrd, which starts the root shell.
async fn boots_by(kernel: PathBuf, initrd: PathBuf, root: &str, disk: &Path) {
    show_steps();
    let disk = format!("if=virtio,snapshot=on,format=raw,file={}", disk.display());
    let start = Linux::new(kernel)
        .initrd(initrd)
        .args(["-drive", &disk])
        .command_line(&format!("root={root}"));
    let vm = Machine::new(start).unwrap();
    vm.wait_for_unit("multi-user.target").await.unwrap();
    let seen = "id -u; systemctl is-active vmwright-shell; cat /proc/1/comm";
    assert_eq!(vm.succeed(seen).await.unwrap(), "0\nactive\nsystemd\n");
    vm.shutdown().await.unwrap();
}
