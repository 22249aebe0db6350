//! Machines that start from a kernel.

/// Initrds of others.
mod initrds;
/// Roots without systemd.
mod other_inits;
/// Roots on a disk.
pub(crate) mod roots;

use std::fs;
use std::path::Path;

use machine::{ErrorKind, Linux, Machine, Template};
use tempfile::TempDir;
use vm_tests::{start_script, unpacked_kernel};

use crate::guests::refused::refused;

/// Debian's kernel in a directory with its configuration and modules.
struct Kernel {
    dir: TempDir,
}

impl Kernel {
    fn unpacked() -> Self {
        let dir = unpacked_kernel();
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
    assert!(
        matches!(error.kind(), ErrorKind::Snapshot { .. }),
        "{error}"
    );
    vm.wait_for_closed_port(1).await.unwrap();
    vm.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_said_before_the_start() {
    let kernel = Kernel::unpacked();
    let error = refused(kernel.linux()).await;
    assert!(error.to_string().contains("no root was chosen"), "{error}");
    let long = kernel.linux().host_root().command_line(&"x".repeat(2000));
    let error = refused(long).await;
    assert!(error.to_string().contains("2047 is the most"), "{error}");
    let error = refused(Linux::new("/no/kernel").host_root()).await;
    assert!(
        matches!(error.kind(), ErrorKind::Kernel { .. }) && error.is_infrastructure(),
        "{error}"
    );
    let script = Linux::new(start_script("minimal")).host_root();
    let error = refused(script).await;
    assert!(error.to_string().contains("no kernel for x86"), "{error}");
    // A kernel without 9p, such as those for clouds.
    let boot = kernel.dir.path().join("boot");
    for entry in fs::read_dir(&boot).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("/config-") {
            let config = fs::read_to_string(&path).unwrap();
            fs::write(&path, config.replace("CONFIG_9P_FS=m", "")).unwrap();
        }
    }
    let lists = kernel.dir.path().join("lib/modules");
    let lists = fs::read_dir(lists).unwrap().next().unwrap().unwrap().path();
    let dep = fs::read_to_string(lists.join("modules.dep")).unwrap();
    let without = dep.lines().filter(|line| !line.contains("/9p.ko:"));
    let without: String = without.flat_map(|line| [line, "\n"]).collect();
    fs::write(lists.join("modules.dep"), without).unwrap();
    let error = refused(kernel.linux().host_root()).await;
    assert!(
        error.to_string().ends_with("it lacks CONFIG_9P_FS")
            || error.to_string().contains("it lacks CONFIG_9P_FS\n"),
        "{error}"
    );
}
