//! Unmodified guests: cloud images and disks.

/// Guests without an operating system.
mod firmware;
/// Other versions of Debian.
mod other_debians;
/// Images that no machine can start from.
pub(crate) mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{DiskImage, ErrorKind, Machine};
use vm_tests::{KILL_SHELL, SOON, fresh_with, ready, show_steps, start_script};

/// The image of Debian 12 with cloud-init.
fn image() -> PathBuf {
    show_steps();
    start_script("cloud")
}

#[tokio::test]
async fn a_clone_of_a_cloud_image() {
    let out = tempfile::tempdir().unwrap();
    let vm = fresh_with("cloud", |builder| builder.out_dir(out.path())).await;
    vm.wait_for_cloud_init().await.unwrap();
    assert_eq!(vm.succeed("id -u; hostname").await.unwrap(), "0\ncloud\n");
    let ids = "cloud-init query platform; systemctl is-system-running";
    assert_eq!(vm.succeed(ids).await.unwrap(), "nocloud\nrunning\n");
    // What the user data asked for, and the larger disk.
    let seen = "cat /etc/ours; ls /root/ran; df --output=size -BG / | tail -n 1 | tr -d ' '";
    assert_eq!(vm.succeed(seen).await.unwrap(), "data/root/ran\n3G\n");
    // The host name's files are those of the image: nothing was installed.
    vm.fail("ls -d /etc/*vmwright* /etc/*/*vmwright* /etc/*/*/*vmwright*")
        .await
        .unwrap();
    copies_without_9p(&vm, out.path()).await;
    let snapshot = vm.snapshot().await.unwrap();
    vm.succeed("rm -r /root/tree").await.unwrap();
    vm.restore(&snapshot).await.unwrap();
    vm.succeed("ls /root/tree/script").await.unwrap();
    a_failing_command(&vm).await;
}

/// The last stage of cloud-init again, with a script that fails.
async fn a_failing_command(vm: &Machine) {
    let again = "cd /var/lib/cloud/instance; rm sem/config_scripts_user /run/cloud-init/result.json
        echo 'exit 3' >>scripts/runcmd; cloud-init modules --mode final";
    vm.execute(again).await.unwrap();
    let error = vm.wait_for_cloud_init().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CloudInit { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("scripts_user"), "{error}");
}

/// Debian's cloud kernel has no 9p.
async fn copies_without_9p(vm: &Machine, out: &Path) {
    vm.fail("modprobe 9p").await.unwrap();
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("a dir/empty")).unwrap();
    fs::write(tree.path().join("a dir/file"), vec![7; 3_000_000]).unwrap();
    fs::write(tree.path().join("script"), "#!/bin/sh\necho ran\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o750);
    fs::set_permissions(tree.path().join("script"), executable).unwrap();
    vm.copy_from_host(tree.path(), "/root/tree").await.unwrap();
    let seen = "cd /root/tree; ./script; stat -c '%a %U' script; wc -c <'a dir/file'; ls 'a dir'";
    assert_eq!(
        vm.succeed(seen).await.unwrap(),
        "ran\n750 root\n3000000\nempty\nfile\n"
    );
    vm.copy_from_host("/etc/hostname", "/root/tree/")
        .await
        .unwrap();
    vm.succeed("ln -s file '/root/tree/a dir/inside'; ln -s /etc/passwd /root/tree/outside")
        .await
        .unwrap();
    let copy = vm.copy_from_machine("/root/tree", "").await.unwrap();
    assert_eq!(copy, out.join("tree"));
    assert_eq!(
        fs::read(copy.join("a dir/inside")).unwrap(),
        vec![7; 3_000_000]
    );
    assert!(copy.join("a dir/empty").is_dir() && !copy.join("outside").exists());
    assert_eq!(
        fs::read(copy.join("hostname")).unwrap(),
        fs::read("/etc/hostname").unwrap()
    );
    vm.fail("ls -d /var/tmp/vmwright.*").await.unwrap();
    // Without `tar`, the error says so.
    vm.succeed("mv /bin/tar /bin/no-tar").await.unwrap();
    let error = vm
        .copy_from_host("/etc/hostname", "/root")
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Share { .. }), "{error}");
    assert!(
        error.to_string().contains("tar is not installed"),
        "{error}"
    );
}

#[tokio::test]
async fn its_shell_returns_after_a_reboot_and_after_it_was_killed() {
    let template = ready("cloud").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    let error = vm.execute(KILL_SHELL).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shell { .. }), "{error}");
    assert_eq!(vm.succeed("echo back").await.unwrap(), "back\n");
    let boot = vm
        .succeed("cat /proc/sys/kernel/random/boot_id")
        .await
        .unwrap();
    let quicker = format!(
        "mount /dev/vda1 /mnt; sed -i 's/ console=ttyS0/& {QUICK}/' /mnt/syslinux.cfg
         grep -q norandmaps /mnt/syslinux.cfg; umount /mnt"
    );
    vm.succeed(quicker).await.unwrap();
    // Several at once need the shell.
    vm.succeed("systemctl --no-block reboot").await.unwrap();
    vm.disconnect().await.unwrap();
    let again = vm.succeed("cat /proc/sys/kernel/random/boot_id");
    assert_ne!(again.await.unwrap(), boot);
}

/// systemd 252 reads no units from credentials: the shell is started by a port that is
/// plugged in.
#[tokio::test]
async fn a_disk_by_credentials_alone() {
    let [dir, other_dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let raw = quick_image(&image(), dir.path(), "");
    let copy = raw_image(&raw, other_dir.path());
    let vm = Machine::new(DiskImage::new(&raw)).unwrap();
    // The shell is not connected, and the port is needed for that.
    vm.start().await.unwrap();
    let snapshot = vm.snapshot().await.unwrap();
    vm.connect().await.unwrap();
    vm.restore(&snapshot).await.unwrap();
    vm.wait_for_unit("multi-user.target").await.unwrap();
    assert_eq!(vm.succeed("id -u").await.unwrap(), "0\n");
    let error = vm.wait_for_cloud_init().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CloudInit { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no data source"), "{error}");
    // The port is gone.
    let names = vm
        .succeed("cat /sys/class/virtio-ports/*/name")
        .await
        .unwrap();
    assert!(!names.contains("org.vmwright.start"), "{names}");
    vm.shutdown().await.unwrap();
    qemu_img(&["compare", "-q"], &copy, &raw);
}

/// Without cloud-init and the rule by which systemd 252 starts the shell, as in a guest that
/// has only a password.
#[tokio::test]
async fn a_login_on_the_serial_console() {
    let dir = tempfile::tempdir().unwrap();
    let image = quick_image(&image(), dir.path(), WITHOUT_CLOUD_INIT);
    set_password(&image, dir.path());
    let login = |password| DiskImage::new(&image).serial_login("root", password);
    let vm = Machine::new(login("a secret")).unwrap();
    assert_eq!(vm.succeed("id -u").await.unwrap(), "0\n");
    let unit = vm.succeed("systemctl is-active vmwright-shell").await;
    assert_eq!(unit.unwrap(), "active\n");
    // The user was logged out.
    let patient = vm.within(SOON);
    for _ in 0..2 {
        patient.wait_for_console_text("login: ").await.unwrap();
    }
    let log = vm.get_console_log().await.unwrap();
    assert!(!log.contains("a secret"), "{log}");
}

/// Sets root's password to `a secret`, and disables the other ways to a shell.
fn set_password(image: &Path, dir: &Path) {
    const HASH: &str = "$6$vmwright$VqlVqMVo3JssqcG/hC13Wmh2TdwPi0d6MtRGgnQWYLEcGcS2x.\
        vToVXcmaG2cwCauOCeKnhtaYovyfs.wqDZR.";
    let [shadow, commands] = ["shadow", "commands"].map(|name| dir.join(name));
    fs::write(&shadow, format!("root:{HASH}:20000::::::\n")).unwrap();
    let text = format!(
        "rm /etc/shadow\nwrite {} /etc/shadow\nsymlink /etc/udev/rules.d/99-vmwright.rules \
         /dev/null\n",
        shadow.display()
    );
    fs::write(&commands, text).unwrap();
    // The root's partition begins after 97 MiB.
    let part = format!("{}?offset={}", image.display(), 97 << 20);
    let mut debugfs = Command::new("/sbin/debugfs");
    let done = debugfs.args(["-w", "-f"]).arg(commands).arg(part).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// The kernel's parameter without which cloud-init takes half of an emulated boot.
pub(crate) const WITHOUT_CLOUD_INIT: &str = "cloud-init=disabled";

/// What else takes long in an emulated boot: code at other addresses in each process, and units
/// that these tests do not need.
const QUICK: &str = "norandmaps no_timer_check systemd.mask=e2scrub_reap.service \
    systemd.mask=modprobe@.service systemd.mask=systemd-logind.service \
    systemd.mask=systemd-networkd.service systemd.mask=systemd-networkd.socket \
    systemd.mask=systemd-resolved.service";

/// A copy of the image in the format raw, whose kernel has these parameters and those by which
/// it boots quickly.
pub(crate) fn quick_image(image: &Path, dir: &Path, parameters: &str) -> PathBuf {
    let raw = raw_image(image, dir);
    let partition = format!("{}@@1M", raw.display());
    let config = dir.join("syslinux.cfg");
    let copies = |arguments: &[&str]| {
        let done = Command::new("mcopy")
            .args(arguments)
            .current_dir(dir)
            .status();
        assert!(done.unwrap().success(), "{arguments:?}");
    };
    copies(&["-i", &partition, "::syslinux.cfg", "."]);
    let text = fs::read_to_string(&config).unwrap();
    let more = format!(" console=ttyS0 {parameters} {QUICK}");
    fs::write(&config, text.replace(" console=ttyS0", &more)).unwrap();
    copies(&["-o", "-i", &partition, "syslinux.cfg", "::"]);
    raw
}

/// A copy of the image in the format raw.
pub(crate) fn raw_image(image: &Path, dir: &Path) -> PathBuf {
    let raw = dir.join("disk.raw");
    qemu_img(&["convert", "-O", "raw"], image, &raw);
    raw
}

fn qemu_img(arguments: &[&str], first: &Path, second: &Path) {
    let done = Command::new("qemu-img")
        .args(arguments)
        .args([first, second])
        .status();
    assert!(done.unwrap().success(), "{arguments:?}");
}
