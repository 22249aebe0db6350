use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use machine::{ErrorKind, Machine};
use vm_tests::{fresh, fresh_with};

use super::{BOUND, assert_in_sync, peak_memory};

/// The host's directory through which files are copied.
fn copies(vm: &Machine) -> PathBuf {
    vm.state_dir().join("copies")
}

/// A guest whose `cp` is a script that runs `makes` with `$target` set to its last argument.
async fn fresh_with_cp(dir: &Path, makes: &str) -> Machine {
    let vm = fresh_with("systemd", |builder| builder.out_dir(dir).tmp_dir(dir)).await;
    let cp = format!("#!/bin/bash\nset -e\ntarget=${{!#}}\nshopt -s dotglob\n{makes}");
    let cp = machine::quote(&cp).unwrap().into_owned();
    vm.succeed(format!(
        "mkdir -p /root/thing; path=$(command -v cp); rm $path
        printf %s {cp} >$path; chmod +x $path"
    ))
    .await
    .unwrap();
    vm
}

#[tokio::test]
async fn a_share_with_special_files() {
    let host = tempfile::tempdir().unwrap();
    let makes = r#"mkdir "$target"
        cd "$target"
        echo fine >file
        ln -s /etc/passwd absolute
        ln -s ../../../../../../etc/passwd relative
        ln -s file inside
        mkfifo pipe || :
        mknod device b 8 0 || :
        mknod null c 1 3 || :
        mkdir locked && echo x >locked/x && chmod 0 locked || :
        dd if=/dev/null of=huge bs=1048576 seek=1048576
        : >$'two\nlines'
        : >$'\xff\xfe'
        : >$'\e[2J'
        mkdir many
        for ((number = 0; number < 2000; number++)); do : >many/$number; done"#;
    let vm = fresh_with_cp(host.path(), makes).await;
    peak_memory();
    let before = peak_memory();
    let out = vm.copy_from_machine("/root/thing", "").await.unwrap();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND, "{grown} KiB more");

    assert_eq!(fs::read_to_string(out.join("inside")).unwrap(), "fine\n");
    let copied = |name: &[u8]| {
        out.join(std::ffi::OsStr::from_bytes(name))
            .symlink_metadata()
    };
    for trap in ["absolute", "relative", "pipe", "device", "null"] {
        assert!(copied(trap.as_bytes()).is_err(), "{trap}");
    }
    for odd in [&b"two\nlines"[..], b"\xff\xfe", b"\x1b[2J"] {
        assert!(copied(odd).is_ok(), "{odd:?}");
    }
    let huge = copied(b"huge").unwrap();
    assert_eq!((huge.len(), huge.blocks()), (1 << 40, 0));
    assert_eq!(fs::read_dir(out.join("many")).unwrap().count(), 2_000);
    let left = fs::read_dir(copies(&vm)).unwrap().count();
    assert_eq!(left, 0, "the share is not empty");
}

/// The error has the last lines.
#[tokio::test]
async fn the_output_of_a_copy_is_bounded() {
    let host = tempfile::tempdir().unwrap();
    let vm = fresh_with_cp(
        host.path(),
        "dd if=/dev/zero bs=1048576 count=128; echo; echo the end; exit 1",
    )
    .await;
    peak_memory();
    let before = peak_memory();
    let error = vm.copy_from_machine("/root/thing", "").await.unwrap_err();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND, "{grown} KiB more");
    assert!(
        matches!(error.kind(), ErrorKind::GuestCopy { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("the end"), "{error}");
}

/// One time limit holds for all parts of a copy.
#[tokio::test]
async fn a_copy_that_hangs_times_out() {
    let host = tempfile::tempdir().unwrap();
    let vm = fresh_with_cp(host.path(), "sleep 1000").await;
    let quick = vm.within(Duration::from_secs(4));
    let out = quick.copy_from_machine("/root/thing", "").await;
    let into = quick.copy_from_host("/etc/hosts", "/tmp/hosts").await;
    for error in [out.map(drop).unwrap_err(), into.unwrap_err()] {
        assert!(error.is_timeout(), "{error}");
        let message = error.to_string();
        assert!(message.contains("the guest is still copying"), "{message}");
        assert!(message.contains("waited "), "{message}");
    }
    assert_in_sync(&vm).await;
    assert_eq!(fs::read_dir(copies(&vm)).unwrap().count(), 0);
}

/// A directory for many small files: in memory, if the host has space there.
fn roomy_tempdir() -> tempfile::TempDir {
    let in_memory = "/dev/shm";
    let has_room = rustix::fs::statvfs(in_memory)
        .is_ok_and(|it| it.f_bavail * it.f_frsize > 1 << 30 && it.f_favail > 500_000);
    let in_memory = has_room.then(|| tempfile::tempdir_in(in_memory).ok());
    in_memory
        .flatten()
        .unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// The host creates them, because an emulated guest would take hours.
#[tokio::test]
async fn many_files_in_the_share() {
    const FILES: usize = 200_000;
    let host = roomy_tempdir();
    let vm = fresh_with_cp(host.path(), r#"mv /run/vmwright/copies/many "$target""#).await;
    // Setting their modes would take too long as well, so `chmod` does nothing.
    vm.succeed(
        "printf '#!/bin/bash\n' >/tmp/idle; chmod +x /tmp/idle
         mv /tmp/idle \"$(command -v chmod)\"",
    )
    .await
    .unwrap();
    let many = copies(&vm).join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..FILES {
        fs::File::create(many.join(number.to_string())).unwrap();
    }
    peak_memory();
    let before = peak_memory();
    let out = vm.copy_from_machine("/root/thing", "").await.unwrap();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND / 5, "{grown} KiB more");
    assert_eq!(fs::read_dir(out).unwrap().count(), FILES);
    assert_eq!(fs::read_dir(copies(&vm)).unwrap().count(), 0);
}

/// The guest replaces the directory of a copy before the host reads it.
#[tokio::test]
async fn a_share_replaced_by_a_link() {
    let host = tempfile::tempdir().unwrap();
    let victim = host.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("thing"), "the host's").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o755)).unwrap();
    let makes = format!(
        "dir=${{target%/*}}; rm -rf \"$dir\"; ln -s {} \"$dir\"",
        victim.display()
    );
    let vm = fresh_with_cp(&host.path().join("out"), &makes).await;
    let error = vm.copy_from_machine("/root/thing", "").await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::HostFile { .. } | ErrorKind::GuestCopy { .. }
        ),
        "{error}"
    );
    let kept = fs::read_to_string(victim.join("thing")).unwrap();
    assert_eq!(kept, "the host's");
    assert_eq!(victim.metadata().unwrap().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(copies(&vm)).unwrap().count(), 0);
}

#[tokio::test]
async fn an_abandoned_copy_leaves_no_files() {
    let host = tempfile::tempdir().unwrap();
    let makes = "mkdir $target; echo started >/dev/ttyS0; sleep 1000";
    let vm = fresh_with_cp(host.path(), makes).await;
    tokio::select! {
        out = vm.copy_from_machine("/root/thing", "") => panic!("{out:?}"),
        started = vm.wait_for_console_text("started") => drop(started.unwrap()),
    }
    let share = copies(&vm);
    assert_eq!(fs::read_dir(&share).unwrap().count(), 1);
    drop(vm);
    assert!(!share.exists());
}

#[tokio::test]
async fn a_deep_share_is_removed_with_its_machine() {
    let vm = fresh("systemd").await;
    vm.copy_from_host("/etc/hosts", "/root").await.unwrap();
    let deep = "printf -v deep d/%.0s {1..100}; cd /run/vmwright/copies; mkdir -p $deep";
    vm.succeed(deep).await.unwrap();
    let share = copies(&vm);
    assert!(share.join("d/".repeat(100)).exists());
    drop(vm);
    assert!(!share.exists());
}

#[tokio::test]
async fn another_machine_can_not_change_a_copy() {
    let host = tempfile::tempdir().unwrap();
    let dir = host.path();
    let machine = |name: &'static str| {
        fresh_with("systemd", move |builder| {
            builder.tmp_dir(dir).out_dir(dir).name(name)
        })
    };
    let (good, evil) = tokio::join!(machine("good"), machine("evil"));
    assert_eq!(good.shared_dir(), evil.shared_dir());
    evil.succeed(
        "(while :; do
            for file in /tmp/shared/{,*/,*/*/}*; do
                [[ ! -f $file ]] || echo evil >$file
            done
        done) >&2 &",
    )
    .await
    .unwrap();
    let source = dir.join("source");
    fs::write(&source, "good\n".repeat(100_000)).unwrap();
    for _ in 0..10 {
        good.copy_from_host(&source, "/root/copy").await.unwrap();
        let copy = good.copy_from_machine("/root/copy", "").await.unwrap();
        assert!(fs::read(&copy).unwrap() == fs::read(&source).unwrap());
    }
    // Scripts may exchange files by the other directory.
    fs::write(good.shared_dir().join("file"), "good").unwrap();
    good.wait_until_succeeds("[[ $(</tmp/shared/file) == evil ]]")
        .await
        .unwrap();
}
