//! A clone's identity: set by the clone agent in Perl, or by the shell of a guest without Perl.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machine::{Machine, Template};
use vm_tests::ready;

use super::has_booted;

/// A guest without Perl: the shell sets its clones' identity.
const HIDE_PERL: &str = r#"mv "$(type -P perl)" /root"#;

/// A guest whose shell cannot mount the shared directory again, but the agent can, by a
/// system call.
const HIDE_MOUNT: &str = r#"mv "$(type -P mount)" /root"#;

/// Mounts the shared directory without systemd, which would mount it again on access, and
/// records what a clone must replace.
const RECORD: &str = "\
    head -c 512 /dev/zero >/var/lib/systemd/random-seed
    mkdir /root/before
    cp /etc/machine-id /var/lib/systemd/random-seed /root/before
    systemctl stop tmp-shared.automount
    mkdir -p /tmp/shared
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /tmp/shared";

/// Prints what must be the same for both ways.
const IDENTITY: &str = r#"hostname
    cat /etc/hostname
    grep -xE '[0-9a-f]{32}' /etc/machine-id | wc -l
    stat -c '%n %s %a %u %g' /etc/machine-id /var/lib/systemd/random-seed
    cd /root/before
    for file in /etc/machine-id /var/lib/systemd/random-seed; do
        if cmp -s $file ${file##*/}; then echo "$file is the template's"; fi
    done
    grep ' /tmp/shared 9p ' /proc/mounts
    cat /proc/sys/kernel/printk"#;

async fn clone_of(booted: &Template, cache: &Path, preparation: &str) -> Machine {
    let template = booted.extend().cache_dir(cache).succeed(RECORD);
    let template = template.succeed(preparation).build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let vm = template
        .with_host_name("other")
        .clone_machine()
        .await
        .unwrap();
    assert!(!has_booted(&vm), "{preparation}");
    vm
}

async fn assert_clock_is_set(vm: &Machine) {
    let guest = vm.succeed("date +%s").await.unwrap();
    let guest = Duration::from_secs(guest.trim().parse().unwrap());
    let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        host.abs_diff(guest) < Duration::from_secs(30),
        "{host:?} {guest:?}"
    );
}

#[tokio::test]
async fn agent_and_shell_give_the_same_identity() {
    let cache = tempfile::tempdir().unwrap();
    let booted = ready("systemd").build().await.unwrap();
    let by_agent = clone_of(&booted, cache.path(), HIDE_MOUNT).await;
    let by_shell = clone_of(&booted, cache.path(), HIDE_PERL).await;
    let mut identities = Vec::new();
    for vm in [&by_agent, &by_shell] {
        assert_clock_is_set(vm).await;
        identities.push(vm.succeed(IDENTITY).await.unwrap());
    }
    let [of_agent, of_shell] = [&identities[0], &identities[1]];
    assert_eq!(of_agent, of_shell);
    assert!(of_agent.starts_with("other\nother\n1\n"), "{of_agent}");
    assert!(!of_agent.contains("is the template's"), "{of_agent}");

    // Each has a shared directory and random values of its own.
    for vm in [&by_agent, &by_shell] {
        vm.succeed("echo shared >/tmp/shared/file").await.unwrap();
        let file = std::fs::read_to_string(vm.shared_dir().join("file"));
        assert_eq!(file.unwrap(), "shared\n");
    }
    for command in [
        "cat /etc/machine-id",
        "od -x /var/lib/systemd/random-seed",
        "od -N 16 -x /dev/urandom",
    ] {
        let [agents, shells] = [by_agent.succeed(command), by_shell.succeed(command)];
        assert_ne!(agents.await.unwrap(), shells.await.unwrap(), "{command}");
    }
}

#[tokio::test]
async fn clones_differ_in_a_guest_without_perl() {
    let cache = tempfile::tempdir().unwrap();
    let booted = ready("systemd").build().await.unwrap();
    let template = booted.extend().cache_dir(cache.path()).succeed(HIDE_PERL);
    let template = template.build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let one = template.clone_machine().await.unwrap();
    let other = template
        .with_host_name("other")
        .clone_machine()
        .await
        .unwrap();
    for command in [
        "cat /etc/machine-id",
        "od -N 16 -x /dev/urandom",
        "hostname",
    ] {
        let [of_one, of_other] = [one.succeed(command).await, other.succeed(command).await];
        assert_ne!(of_one.unwrap(), of_other.unwrap(), "{command}");
    }
    for vm in [&one, &other] {
        assert!(!has_booted(vm));
        vm.fail("type -P perl").await.unwrap();
        vm.succeed("hostname >/tmp/shared/name").await.unwrap();
        assert!(vm.shared_dir().join("name").exists());
    }
}

#[tokio::test]
async fn a_guest_that_cannot_get_an_identity_boots() {
    let cache = tempfile::tempdir().unwrap();
    let booted = ready("systemd").build().await.unwrap();
    let build = || {
        let template = booted.extend().cache_dir(cache.path());
        let template = template.succeed(
            "mount --bind /etc/machine-id /etc/machine-id
             mount -o remount,bind,ro /etc/machine-id",
        );
        template.build()
    };
    let first = build().await.unwrap();
    assert_eq!(
        first.unsupported_reason(),
        None,
        "the template was refused before its first clone"
    );
    assert!(has_booted(&first.clone_machine().await.unwrap()));
    let known = build().await.unwrap();
    let reason = known.unsupported_reason().unwrap();
    assert!(reason.contains("can't take another identity"), "{reason}");
    let extended = first.extend().cache_dir(cache.path()).build();
    let extended = extended.await.unwrap();
    let reason = extended.unsupported_reason().unwrap();
    assert!(reason.contains("the template that it extends"), "{reason}");
}
