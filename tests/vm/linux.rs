//! Machines that start from a kernel.

use std::fs;
use std::path::Path;
use std::process::Command;

use machine::{ErrorKind, Linux, Machine, Template};
use tempfile::TempDir;
use vm_tests::{show_steps, start_script};

/// Debian's kernel in a directory with its configuration and modules, as in its package.
struct Kernel {
    dir: TempDir,
}

impl Kernel {
    fn unpacked() -> Self {
        show_steps();
        let image = start_script("linux");
        let image = image.parent().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let boot = dir.path().join("boot");
        fs::create_dir(&boot).unwrap();
        for entry in fs::read_dir(image).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, boot.join(path.file_name().unwrap())).unwrap();
        }
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(dir.path());
        assert!(
            tar.arg("-xf")
                .arg(boot.join("modules.tar"))
                .status()
                .unwrap()
                .success()
        );
        Self { dir }
    }

    fn linux(&self) -> Linux {
        Linux::new(self.dir.path().join("boot/vmlinuz"))
    }
}

#[tokio::test]
async fn the_hosts_root() {
    let kernel = Kernel::unpacked();
    let start = kernel
        .linux()
        .name("hosted")
        .cpus(2)
        .host_root()
        .command_line("quiet vmwright.test");
    let template = Template::builder(start.clone()).build();
    let error = template.await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Template { misuse: true, .. }),
        "{error}"
    );
    let vm = Machine::new(start).unwrap();
    let seen = vm.succeed("id -u; hostname; nproc; ls /tmp").await;
    assert_eq!(seen.unwrap(), "0\nhosted\n2\n");
    let line = vm.succeed("cat /proc/cmdline").await.unwrap();
    assert!(line.ends_with(" quiet vmwright.test\n"), "{line}");
    // What it writes, the host does not see.
    vm.succeed("echo guest >/etc/vmwright-test; rm /etc/passwd")
        .await
        .unwrap();
    assert!(!Path::new("/etc/vmwright-test").exists());
    assert!(Path::new("/etc/passwd").exists());
    // The kernel's other modules are there.
    vm.succeed("/run/vmwright/busybox insmod /lib/modules/$(uname -r)/kernel/drivers/net/dummy.ko; ls /sys/class/net/dummy0")
        .await
        .unwrap();
    vm.copy_from_host("/etc/passwd", "/etc/passwd")
        .await
        .unwrap();
    let error = vm.snapshot().await.unwrap_err();
    assert!(error.to_string().contains("VirtFS"), "{error}");
    vm.wait_for_closed_port(1).await.unwrap();
    vm.shutdown().await.unwrap();
}
