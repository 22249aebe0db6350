mod cache;
mod clone_identity;
mod first_start;
mod kinds;
mod moved;
mod network;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machine::{LazyTemplate, Machine, Template};
use vm_tests::{SOON, systemd, template};

pub(crate) const PREPARED: &str = "multi-user.target";

/// Whether a `sleep 4321` runs: `minimal` has no pgrep. Processes may end meanwhile.
pub(crate) const SLEEPS: &str =
    "{ cat /proc/[0-9]*/cmdline || :; } | tr '\\0' ' ' | grep 'sleep 432[1]' >/dev/null";

#[tokio::test]
async fn clones_are_independent() {
    let template = template("minimal").build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
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

    // It boots from a disk of its own.
    one.start().await.unwrap();
    assert_eq!(one.succeed("cat /disk/file").await.unwrap(), "one\n");
}

#[tokio::test]
async fn clones_are_made_in_advance() {
    let template = template("minimal").build().await.unwrap().prefetch();
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

/// Runs `test` as `#[tokio::test]` does.
fn on_a_runtime<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test)
}

async fn check_guest(vm: &Machine) {
    let output = vm.succeed("echo on the console >/dev/ttyS0; echo right");
    assert_eq!(output.await.unwrap(), "right\n");
    vm.wait_for_console_text("on the console").await.unwrap();
    let status = vm.send_monitor_command("info status").await.unwrap();
    assert!(status.contains("running"), "{status}");
    vm.crash().await.unwrap();
}

/// A process that runs several tests has a runtime for each.
#[test]
fn a_prefetched_clone_outlives_the_runtime_of_a_test() {
    let template = on_a_runtime(async {
        let template = template("minimal").build().await.unwrap().prefetch();
        check_guest(&template.clone_machine().await.unwrap()).await;
        template
    });
    for _ in 0..2 {
        on_a_runtime(async {
            check_guest(&template.clone_machine().await.unwrap()).await;
        });
    }
}

#[test]
fn tests_share_a_template_in_a_static() {
    static MINIMAL: LazyTemplate = LazyTemplate::new(|| template("minimal"));
    std::thread::scope(|tests| {
        for _ in 0..2 {
            tests.spawn(|| {
                on_a_runtime(async {
                    check_guest(&MINIMAL.clone_machine().await.unwrap()).await;
                });
            });
        }
    });
    on_a_runtime(async {
        let named = MINIMAL.clone_with(|builder| builder.name("another")).await;
        let named = named.unwrap();
        assert_eq!(named.name(), "another");
        check_guest(&named).await;
    });
}

#[tokio::test]
async fn each_clone_has_its_own_identity() {
    let template = template("systemd")
        .wait_for_unit(PREPARED)
        .build()
        .await
        .unwrap();
    let one = template.clone_machine().await.unwrap();
    let other = template
        .with_host_name("other")
        .clone_machine()
        .await
        .unwrap();
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

    // The clock was set recently.
    let now = one.succeed("date +%s").await.unwrap();
    let now = Duration::from_secs(now.trim().parse().unwrap());
    let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        host.abs_diff(now) < Duration::from_secs(30),
        "{host:?} {now:?}"
    );

    // Each has a shared directory of its own.
    for vm in [&one, &other] {
        vm.succeed("hostname >/tmp/shared/name && grep -q ' /tmp/shared 9p ' /proc/mounts")
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

/// Checks units, files, the console, the keyboard, ports and shutdown.
async fn check_operations(vm: &Machine) {
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
    // A login discards earlier input.
    vm.within(SOON)
        .wait_until_tty_matches("1", "(login:|#) +$")
        .await
        .unwrap();
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
async fn a_booted_machine_works() {
    let vm = systemd();
    vm.connect().await.unwrap();
    check_operations(&vm).await;
}

#[tokio::test]
async fn a_clone_works_like_a_booted_machine() {
    let template = template("systemd")
        .wait_for_unit(PREPARED)
        .build()
        .await
        .unwrap();
    check_operations(&template.clone_machine().await.unwrap()).await;
}

#[tokio::test]
async fn a_template_of_a_clone() {
    let cache = tempfile::tempdir().unwrap();
    let booted = template("minimal").build().await.unwrap();
    let base = booted.extend().cache_dir(cache.path());
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
    assert_eq!(template.unsupported_reason(), None);
    let vm = template.clone_machine().await.unwrap();
    let files = vm
        .succeed("cat /disk/base /disk/more /tmp/tools/tool")
        .await
        .unwrap();
    assert_eq!(files, "base\nmore\na tool");
    vm.succeed(SLEEPS).await.unwrap();
    // The parent is unchanged.
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

/// Whether it has booted, rather than continued from a template.
fn has_booted(vm: &Machine) -> bool {
    let arguments = std::fs::read(format!("/proc/{}/cmdline", vm.pid().unwrap())).unwrap();
    !String::from_utf8(arguments)
        .unwrap()
        .contains("\0-incoming\0")
}

#[tokio::test]
async fn a_clone_can_reboot() {
    let template = template("minimal").build().await.unwrap();
    let vm = template.allowing_reboot().clone_machine().await.unwrap();
    vm.succeed("echo kept >/disk/file; sync").await.unwrap();
    vm.reboot().await.unwrap();
    assert_eq!(vm.succeed("cat /disk/file").await.unwrap(), "kept\n");
    vm.wait_for_console_text("Linux version").await.unwrap();
}
