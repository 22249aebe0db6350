//! What makes a clone another, in guests that have less for it than most.

use vm_tests::ready;

use super::has_booted;

/// There the shell does what a program in Perl does elsewhere.
#[tokio::test]
async fn a_guest_without_perl() {
    let cache = tempfile::tempdir().unwrap();
    let booted = ready("systemd").build().await.unwrap();
    let template = booted
        .extend()
        .cache_dir(cache.path())
        .succeed(r#"mv "$(type -P perl)" /root"#);
    let template = template.build().await.unwrap();
    assert_eq!(template.cannot(), None);
    let one = template.clone_machine().await.unwrap();
    let other = template.host_name("other").clone_machine().await.unwrap();
    for command in [
        "cat /etc/machine-id",
        "od -N 16 -x /dev/urandom",
        "hostname",
    ] {
        let [of_one, of_other] = [one.succeed(command).await, other.succeed(command).await];
        assert_ne!(of_one.unwrap(), of_other.unwrap(), "{command}");
    }
    for vm in [&one, &other] {
        assert!(!has_booted(vm).await);
        vm.fail("type -P perl").await.unwrap();
        vm.succeed("hostname >/tmp/shared/name").await.unwrap();
        assert!(vm.shared_dir().join("name").exists());
    }
}

#[tokio::test]
async fn what_can_not_become_another_is_booted() {
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
    assert_eq!(first.cannot(), None, "nobody has tried");
    assert!(has_booted(&first.clone_machine().await.unwrap()).await);
    let known = build().await.unwrap();
    let reason = known.cannot().unwrap();
    assert!(reason.contains("can't become another"), "{reason}");
    let extended = first.extend().cache_dir(cache.path()).build();
    let extended = extended.await.unwrap();
    let reason = extended.cannot().unwrap();
    assert!(reason.contains("its parent"), "{reason}");
}
