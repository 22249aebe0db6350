//! Roots with another init than systemd.

use machine::{Machine, Template};
use vm_tests::{KILL_SHELL, start_script};

use super::Kernel;

/// A clone of an archive of the image `other-init`, and the name of its init.
async fn clone_of(name: &str) -> (Machine, String) {
    let kernel = Kernel::unpacked();
    let archive = start_script("other-init").with_file_name(format!("{name}.tar"));
    let cache = tempfile::tempdir().unwrap();
    let start = kernel.linux().name(name).root_tar(archive);
    let template = Template::builder(start).cache_dir(cache.path());
    let template = template.build().await.unwrap();
    let vm = template.clone_machine().await.unwrap();
    let seen = vm.succeed("id -u; stat -c '%U:%G' /etc/shadow");
    assert_eq!(seen.await.unwrap(), "0\nroot:shadow\n");
    vm.execute(KILL_SHELL).await.unwrap_err();
    // The guest may not have made /dev/fd when the shell came.
    assert_eq!(vm.succeed("cat <(echo text)").await.unwrap(), "text\n");
    let init = vm.succeed("readlink -f /sbin/init; cat /proc/1/comm").await;
    (vm, init.unwrap())
}

#[tokio::test]
#[ignore = "needs --all-guests: other-init"]
async fn sysvinit() {
    let (vm, init) = clone_of("sysvinit").await;
    assert_eq!(init, "/usr/sbin/init\ninit\n");
    vm.shutdown().await.unwrap();
}

#[tokio::test]
#[ignore = "needs --all-guests: other-init"]
async fn openrc() {
    let (vm, init) = clone_of("openrc").await;
    assert_eq!(init, "/usr/sbin/init\ninit\n");
    vm.shutdown().await.unwrap();
}

#[tokio::test]
#[ignore = "needs --all-guests: other-init"]
async fn runit() {
    let (vm, init) = clone_of("runit").await;
    assert_eq!(init, "/usr/lib/runit/runit-init\nrunit\n");
    vm.shutdown().await.unwrap();
}
