use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machine::{Builder, ErrorKind, Machine, Template};
use vm_tests::{SOON, builder, template};

pub(crate) const PREPARED: &str = "multi-user.target";

/// Whether a `sleep 4321` runs: `minimal` has no pgrep.
pub(crate) const SLEEPS: &str = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q 'sleep 432[1]'";

#[tokio::test]
async fn clones_are_independent() {
    let template = template("minimal").build().await.unwrap();
    assert_eq!(template.cannot(), None);
    let [one, other] = [
        template.clone_machine().await,
        template.clone_machine().await,
    ];
    let [one, other] = [one.unwrap(), other.unwrap()];
    one.succeed("echo one >/disk/file; sync; echo one >/tmp/file; sleep 4321 >&2 &")
        .await
        .unwrap();
    for vm in [&other, &template.clone_machine().await.unwrap()] {
        vm.fail("cat /disk/file").await.unwrap();
        vm.fail("cat /tmp/file").await.unwrap();
        vm.fail(SLEEPS).await.unwrap();
    }
    let kept = one.succeed("cat /disk/file /tmp/file").await.unwrap();
    assert_eq!(kept, "one\none\n");
    one.crash().await.unwrap();
    assert_eq!(other.succeed("echo alive").await.unwrap(), "alive\n");

    // Its disk is its own, and it can boot from it.
    one.start().await.unwrap();
    assert_eq!(one.succeed("cat /disk/file").await.unwrap(), "one\n");
}

#[tokio::test]
async fn clones_are_made_ahead() {
    let template = template("minimal").build().await.unwrap().ahead();
    let [one, other] = [
        template.clone_machine().await,
        template.clone_machine().await,
    ];
    let [one, other] = [one.unwrap(), other.unwrap()];
    one.succeed("echo one >/tmp/file").await.unwrap();
    other.fail("cat /tmp/file").await.unwrap();
    let uuid = "cat /proc/sys/kernel/random/uuid";
    let [of_one, of_other] = [one.succeed(uuid).await, other.succeed(uuid).await];
    assert_ne!(of_one.unwrap(), of_other.unwrap());
}

/// What clones must not share.
#[tokio::test]
async fn clones_are_fresh() {
    let template = template("systemd")
        .wait_for_unit(PREPARED)
        .build()
        .await
        .unwrap();
    let one = template.clone_machine().await.unwrap();
    let other = template.host_name("other").clone_machine().await.unwrap();
    for command in [
        "cat /proc/sys/kernel/random/uuid",
        "od -N 16 -x /dev/urandom",
        "cat /etc/machine-id",
        "hostname",
        "cat /etc/hostname",
    ] {
        let [of_one, of_other] = [one.succeed(command).await, other.succeed(command).await];
        assert_ne!(of_one.unwrap(), of_other.unwrap(), "{command}");
    }
    assert_eq!(one.succeed("hostname").await.unwrap(), "systemd\n");
    assert_eq!(other.succeed("hostname").await.unwrap(), "other\n");
    let id = one.succeed("cat /etc/machine-id").await.unwrap();
    assert!(
        id.len() == 33 && id.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );

    // The clock was set, not more than some commands ago.
    let now = one.succeed("date +%s").await.unwrap();
    let now = Duration::from_secs(now.trim().parse().unwrap());
    let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        host.abs_diff(now) < Duration::from_secs(30),
        "{host:?} {now:?}"
    );

    // Each has the share, which is its own.
    for vm in [&one, &other] {
        vm.succeed("mountpoint -q /tmp/shared && hostname >/tmp/shared/name")
            .await
            .unwrap();
        let name = std::fs::read_to_string(vm.shared_dir().join("name")).unwrap();
        assert_eq!(name, vm.succeed("hostname").await.unwrap());
    }

    // The boot is in the template's console log, not in the clone's.
    let boot = std::fs::read_to_string(template.console_log()).unwrap();
    assert!(boot.contains("Linux version"));
    assert!(
        !one.get_console_log()
            .await
            .unwrap()
            .contains("Linux version")
    );
}

/// What a template is for others: it is made once, and used as it is.
async fn behaves(vm: &Machine) {
    vm.wait_for_unit(PREPARED).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "from the host").unwrap();
    vm.copy_from_host(&file, "/root/file").await.unwrap();
    assert_eq!(vm.succeed("cat /root/file").await.unwrap(), "from the host");
    vm.succeed("systemctl restart systemd-logind.service")
        .await
        .unwrap();
    vm.succeed("echo to the console >&2").await.unwrap();
    vm.wait_for_console_text("to the console").await.unwrap();
    vm.send_console("\n").await.unwrap();
    vm.wait_for_console_text("login: ").await.unwrap();
    vm.send_chars("typed").await.unwrap();
    vm.within(SOON)
        .wait_for_text("login: typed|# typed")
        .await
        .unwrap();
    vm.succeed("nc -l -p 8000 </dev/null >&2 &").await.unwrap();
    vm.wait_for_open_port(8000).await.unwrap();
    vm.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_boot_behaves() {
    let vm = builder("systemd").build().unwrap();
    vm.connect().await.unwrap();
    behaves(&vm).await;
}

#[tokio::test]
async fn a_clone_behaves_as_a_boot_does() {
    let template = template("systemd")
        .wait_for_unit(PREPARED)
        .build()
        .await
        .unwrap();
    behaves(&template.clone_machine().await.unwrap()).await;
}

#[tokio::test]
async fn a_template_of_a_clone() {
    let cache = tempfile::tempdir().unwrap();
    let base = template("minimal").cache_dir(cache.path());
    let base = base.succeed("echo base >/disk/base").build().await.unwrap();
    let tools = tempfile::tempdir().unwrap();
    std::fs::write(tools.path().join("tool"), "a tool").unwrap();
    let extended = || {
        base.extend()
            .copy_from_host(tools.path(), "/tmp/tools")
            .succeed("echo more >/disk/more; sleep 4321 >&2 &")
            .build()
    };
    let template = extended().await.unwrap();
    assert_eq!(template.cannot(), None);
    let vm = template.clone_machine().await.unwrap();
    let files = vm
        .succeed("cat /disk/base /disk/more /tmp/tools/tool")
        .await
        .unwrap();
    assert_eq!(files, "base\nmore\na tool");
    vm.succeed(SLEEPS).await.unwrap();
    // Its parent is as it was.
    base.clone_machine()
        .await
        .unwrap()
        .fail("cat /disk/more")
        .await
        .unwrap();

    // Another tool makes another template.
    std::fs::write(tools.path().join("tool"), "a better tool").unwrap();
    let vm = extended().await.unwrap().clone_machine().await.unwrap();
    let tool = vm.succeed("cat /tmp/tools/tool").await.unwrap();
    assert_eq!(tool, "a better tool");
}

fn dir_of(template: &Template) -> PathBuf {
    template.console_log().parent().unwrap().to_owned()
}

async fn has_booted(vm: &Machine) -> bool {
    vm.get_console_log()
        .await
        .unwrap()
        .contains("Linux version")
}

#[tokio::test]
async fn what_is_damaged_is_made_anew() {
    let cache = tempfile::tempdir().unwrap();
    let build = || template("minimal").cache_dir(cache.path()).build();
    let (first, second) = tokio::join!(build(), build());
    let (first, second) = (first.unwrap(), second.unwrap());
    let dir = dir_of(&first);
    assert_eq!(dir, dir_of(&second), "it is made once");
    assert_eq!(dir, dir_of(&build().await.unwrap()), "it is taken as it is");

    // Changed behind a template's back, by somebody who was killed while making
    // another: clones boot, until somebody makes it anew.
    std::fs::write(dir.join("devices"), "nonsense").unwrap();
    let left = dir.with_extension("left");
    std::fs::create_dir(&left).unwrap();
    assert!(has_booted(&first.clone_machine().await.unwrap()).await);
    assert!(!dir.join("template.json").exists());
    let anew = build().await.unwrap();
    assert_ne!(dir, dir_of(&anew));
    assert!(!left.exists());
    assert!(dir.exists(), "it is in use");
    for template in [&anew, &second] {
        assert!(!has_booted(&template.clone_machine().await.unwrap()).await);
    }

    // What nobody uses goes.
    drop((first, second, anew));
    Template::clear(cache.path()).unwrap();
    let entries = std::fs::read_dir(cache.path()).unwrap().flatten();
    let left: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_none_or(|it| it != "lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Its disks are on top of those of a parent that is gone.
#[tokio::test]
async fn a_clone_of_what_is_made_anew_is_made_anew() {
    let cache = tempfile::tempdir().unwrap();
    let base = || {
        let base = template("minimal").cache_dir(cache.path());
        base.succeed("echo $RANDOM >/disk/base").build()
    };
    let extend = |base: &Template| {
        base.extend()
            .succeed("cp /disk/base /disk/copy; echo 3 >/proc/sys/vm/drop_caches")
            .build()
    };
    let is_whole = "cmp /disk/base /disk/copy";
    let first = base().await.unwrap();
    let extended = extend(&first).await.unwrap();
    let vm = extended.clone_machine().await.unwrap();
    std::fs::write(dir_of(&first).join("devices"), "nonsense").unwrap();

    let anew = base().await.unwrap();
    let again = extend(&anew).await.unwrap();
    assert_ne!(dir_of(&extended), dir_of(&again));
    let clone = again.clone_machine().await.unwrap();
    assert!(!has_booted(&clone).await);
    clone.succeed(is_whole).await.unwrap();
    // What runs is not disturbed, and has its disks when it boots.
    vm.succeed(is_whole).await.unwrap();
    vm.shutdown().await.unwrap();
    vm.succeed(is_whole).await.unwrap();
}

/// It is no fault of the template's.
#[tokio::test]
async fn a_clone_that_does_not_start_spoils_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let template = template("minimal").cache_dir(cache.path()).build();
    let template = template.await.unwrap();
    let wrong = |builder: Builder| builder.env("QEMU_OPTS", "-no-such-option");
    let error = template.clone_with(wrong).await.unwrap_err();
    assert!(error.to_string().contains("no-such-option"), "{error}");
    let other = |builder: Builder| builder.env("QEMU_OPTS", "-device virtio-balloon-pci");
    let vm = template.clone_with(other).await.unwrap();
    assert!(has_booted(&vm).await, "no clone has another device");
    assert!(!has_booted(&template.clone_machine().await.unwrap()).await);
}

#[tokio::test]
async fn what_can_not_be_saved_is_booted() {
    let cache = tempfile::tempdir().unwrap();
    let busy = "cd /tmp/shared; sleep 4321 >&2 &";
    let build = || {
        template("minimal")
            .cache_dir(cache.path())
            .succeed(busy)
            .build()
    };
    let template = build().await.unwrap();
    let reason = template.cannot().unwrap();
    assert!(reason.contains("/tmp/shared"), "{reason}");
    assert_eq!(
        build().await.unwrap().cannot(),
        Some(reason),
        "it is not tried again"
    );
    let vm = template.clone_machine().await.unwrap();
    vm.succeed(SLEEPS).await.unwrap();
}

#[tokio::test]
async fn a_preparation_that_fails_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let builder = || template("minimal").cache_dir(cache.path());
    let error = builder()
        .succeed("echo no luck; false")
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no luck"), "{error}");
    let panic = "echo c >/proc/sysrq-trigger";
    let error = builder().succeed(panic).build().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::GuestEnded { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("sysrq triggered crash"),
        "{error}"
    );
    let error = builder()
        .copy_from_host("/no/such/file", "/tmp")
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    let left = std::fs::read_dir(cache.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| name.to_string_lossy().ends_with(".lock")),
        "{left:?}"
    );
}

/// A disk that is too small for the RAM, and one that is for the rest: root's to try.
#[tokio::test]
async fn a_full_disk_leaves_nothing() {
    let disk = tempfile::tempdir().unwrap();
    for (size, reason) in [("100m", "No space left"), ("257m", "")] {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(disk.path())
            .status();
        if !mounted.unwrap().success() {
            return;
        }
        let error = template("minimal")
            .cache_dir(disk.path())
            .build()
            .await
            .unwrap_err();
        let left = std::fs::read_dir(disk.path()).unwrap().count();
        // QEMU has been killed, but may not be gone.
        let mut umount = Command::new("umount");
        let unmounted = umount.arg("--lazy").arg(disk.path()).status();
        assert!(unmounted.unwrap().success());
        assert!(
            matches!(error.kind(), ErrorKind::Template { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(left, 1, "only the lock");
    }
}

#[tokio::test]
async fn a_clone_that_may_reboot() {
    let template = template("minimal").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    vm.succeed("echo kept >/disk/file; sync").await.unwrap();
    vm.reboot().await.unwrap();
    assert_eq!(vm.succeed("cat /disk/file").await.unwrap(), "kept\n");
    vm.wait_for_console_text("Linux version").await.unwrap();
}
