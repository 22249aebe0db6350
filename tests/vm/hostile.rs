use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use machine::{ErrorKind, ExitReason, Machine};
use vm_tests::{fresh, fresh_with, scaled};

/// The limit for the growth of the driver's memory, in KiB.
const BOUND: u64 = 96 << 10;

/// The peak memory of this process since the last call, in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let kibibytes = peak.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse().unwrap()
}

/// Sets `numbers` to the numbers of all commands that are still in the memory of the root
/// shell, including that of this command.
const NUMBERS: &str = r"read -r _ _ _ parent _ </proc/$BASHPID/stat
    while read -r range _ _ _ _ name; do
        if [[ $name == '[heap]' ]]; then heap=$range; fi
    done </proc/$parent/maps
    begin=$((16#${heap%-*} / 4096)) end=$((16#${heap#*-} / 4096))
    numbers=$(
        dd if=/proc/$parent/mem bs=4096 skip=$begin count=$((end - begin)) 2>/dev/null |
            tr -c '[:alnum:]' '\n' | grep -xE '[0-9a-f]{16}' | sort -u
    )";

/// The host's directory through which files are copied.
fn copies(vm: &Machine) -> PathBuf {
    vm.state_dir().join("copies")
}

async fn assert_in_sync(vm: &Machine) {
    assert_eq!(vm.succeed("echo right").await.unwrap(), "right\n");
}

#[tokio::test]
async fn output_that_imitates_the_protocol() {
    let vm = fresh("systemd").await;
    let imitation = "\n@e 0000000000000000 0 0\n@r 0000000000000000\nSpawning backdoor root shell...\n\
                     root@vm:~# \n@b 0000000000000000 AA=A\n";
    let script = format!(
        "text={}; printf %s \"$text\"",
        machine::quote(imitation).unwrap()
    );
    assert_eq!(vm.succeed(script).await.unwrap(), imitation);
    // The shell's variables, which a command may print, don't have its number.
    let variables = vm.succeed("set").await.unwrap();
    assert!(variables.contains("__vm_"), "{variables}");
    let is_number = |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut words = variables.split(|c: char| !c.is_alphanumeric());
    assert!(!words.any(is_number), "{variables}");
    assert_in_sync(&vm).await;
}

/// Root in the guest can write to the shell's line. The driver ignores what lacks the number
/// of the current command.
#[tokio::test]
async fn noise_on_the_line_changes_no_answer() {
    let vm = fresh("systemd").await;
    let noise = r"{
        printf '\n@e 0000000000000000 0 0\n@b 0123456789abcdef ====\n@t 0123456789abcdef no'
        printf '\n@r 0123456789abcdef\n@c 0123456789abcdef\n'
        for number in $numbers; do printf '\n@e %s 1' $number; done
        head -c 100000 /dev/urandom
        printf '\n# '
    } >/dev/hvc0";
    for _ in 0..5 {
        let answer = vm
            .succeed(format!("{NUMBERS}; {noise}; echo right"))
            .await
            .unwrap();
        assert_eq!(answer, "right\n");
    }
    assert_in_sync(&vm).await;
}

#[tokio::test]
async fn a_command_can_fake_its_own_answer_only() {
    let vm = fresh("systemd").await;
    let fake = r"for number in $numbers; do
            printf '\n@t %s fake\\n\n@e %s 7 0\n' $number $number
        done >/dev/hvc0
        sleep 1000";
    let output = vm.execute(format!("{NUMBERS}; {fake}")).await.unwrap();
    assert_eq!((output.status(), output.text().as_str()), (7, "fake\n"));
    assert_in_sync(&vm).await;

    let damaged = r"for number in $numbers; do printf '\n@b %s !!!!\n' $number; done >/dev/hvc0
        sleep 1
        echo real";
    let damaged = format!("{NUMBERS}; {damaged}");
    let error = vm.execute(damaged).await.unwrap_err();
    assert!(error.to_string().contains("arrived damaged"), "{error}");
    assert_in_sync(&vm).await;
}

#[tokio::test]
async fn an_endless_line_uses_no_memory() {
    let vm = fresh("systemd").await;
    peak_memory();
    let before = peak_memory();
    vm.succeed("dd if=/dev/zero of=/dev/hvc0 bs=1048576 count=100")
        .await
        .unwrap();
    assert_in_sync(&vm).await;
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND, "{grown} KiB more");
}

/// The driver treats the guest as one without a shell then.
#[tokio::test]
async fn a_false_greeting_fails_only_its_own_command() {
    let vm = fresh("systemd").await;
    let greeting = "echo 'Spawning backdoor root shell...' >/dev/hvc0; sleep 1000";
    let error = vm.succeed(greeting).await.unwrap_err();
    assert!(error.to_string().contains("restarted"), "{error}");
    let quick = vm.within(Duration::from_secs(3));
    let error = quick.succeed("true").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TimedOut { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn messages_have_no_control_characters() {
    let vm = fresh("systemd").await;
    let escapes = r"printf '\e]0;title\a\e[2J\u202e\x9b\n'";
    let quick = vm.within(Duration::from_secs(10));
    let failed = vm.succeed(format!("{escapes}; false")).await;
    vm.succeed(format!("{escapes} >/dev/ttyS0")).await.unwrap();
    let (timed_out, on_console) = tokio::join!(
        quick.wait_until_succeeds(format!("{escapes}; false")),
        quick.wait_for_console_text("never"),
    );
    let odd_name = vm
        .copy_from_host_via_shell("/etc/hosts", "/proc/\u{1b}[2J/no")
        .await;
    for error in [
        failed.unwrap_err(),
        timed_out.unwrap_err(),
        on_console.unwrap_err(),
        odd_name.unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(message.contains("x1b"), "{message}");
        let is_control = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        assert!(!message.contains(is_control), "{message:?}");
    }
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

/// A directory for a million small files: in memory, if the host has room there.
fn roomy_tempdir() -> tempfile::TempDir {
    let in_memory = "/dev/shm";
    let has_room = rustix::fs::statvfs(in_memory)
        .is_ok_and(|it| it.f_bavail * it.f_frsize > 4 << 30 && it.f_favail > 2_500_000);
    let in_memory = has_room.then(|| tempfile::tempdir_in(in_memory).ok());
    in_memory
        .flatten()
        .unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// The host creates them, because an emulated guest would take hours.
#[tokio::test]
async fn a_million_files_in_the_share() {
    const MILLION: usize = 1_000_000;
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
    for number in 0..MILLION {
        fs::File::create(many.join(number.to_string())).unwrap();
    }
    peak_memory();
    let before = peak_memory();
    let out = vm.copy_from_machine("/root/thing", "").await.unwrap();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND, "{grown} KiB more");
    assert_eq!(fs::read_dir(out).unwrap().count(), MILLION);
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

/// Any program can print the last line of a kernel that has panicked. Meanwhile the guest is
/// idle, runs a program, or works in its kernel for longer than it may be silent.
#[tokio::test]
async fn a_panic_that_is_only_printed_ends_nothing() {
    let vm = fresh("systemd").await;
    let print = "echo 'QEMU could not ---[ end Kernel panic - not syncing: x ]---'";
    let seconds = scaled(Duration::from_secs(8)).as_secs();
    for meanwhile in [
        format!("sleep {seconds}"),
        format!("timeout {seconds} bash -c 'while :; do :; done' || true"),
    ] {
        for console in ["/dev/ttyS0", "/dev/stderr"] {
            let command = format!("{print} >{console}; {meanwhile}");
            vm.succeed(command).await.unwrap();
        }
    }
    let works = format!("timeout {seconds} dd if=/dev/zero of=/dev/null bs=16M >&2 &");
    vm.succeed(format!("{works} {print} >&2")).await.unwrap();
    let limited = vm.within(Duration::from_secs(8));
    let end = limited.wait_for_shutdown().await.unwrap_err();
    assert!(end.is_timeout(), "{end}");

    // It is mentioned, but blames nobody.
    let error = vm.succeed("false").await.unwrap_err();
    assert!(
        error.to_string().contains("kernel panic (5 times): QEMU"),
        "{error}"
    );
    assert!(!error.is_infrastructure(), "{error}");

    // Nor does it explain how QEMU ends.
    let error = vm.succeed("poweroff -f").await.unwrap_err();
    let ErrorKind::Exited { reason, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(*reason, Some(ExitReason::PowerOff));
}
