/// Copies from and to a guest.
mod copies;

use std::fs;
use std::time::Duration;

use machine::{ErrorKind, ExitReason, Machine};
use vm_tests::{fresh, scaled};

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
    numbers=$(
        while read -r range _ _ _ _ name; do
            [[ $name == '[heap]' ]] || continue
            begin=$((16#${range%-*} / 4096)) end=$((16#${range#*-} / 4096))
            dd if=/proc/$parent/mem bs=4096 skip=$begin count=$((end - begin)) 2>/dev/null
        done </proc/$parent/maps | tr -c '[:alnum:]' '\n' | grep -xE '[0-9a-f]{16}' | sort -u
    )";

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
    vm.succeed("dd if=/dev/zero of=/dev/hvc0 bs=1048576 count=25")
        .await
        .unwrap();
    assert_in_sync(&vm).await;
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < BOUND / 4, "{grown} KiB more");
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
        // The last lines of a console lack its escape sequences.
        let is_escaped = message.contains("x1b") || message.contains("u{202e}");
        assert!(is_escaped, "{message}");
        let is_control = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        assert!(!message.contains(is_control), "{message:?}");
    }
}

/// Any program can print the last line of a kernel that has panicked. Meanwhile the guest is
/// idle, runs a program, or works in its kernel for longer than it may be silent.
#[tokio::test]
async fn a_panic_that_is_only_printed_ends_nothing() {
    let vm = fresh("systemd").await;
    let print = "echo 'QEMU could not ---[ end Kernel panic - not syncing: x ]---'";
    let seconds = scaled(Duration::from_secs(8)).as_secs();
    let loops = format!("timeout {seconds} bash -c 'while :; do :; done' || true");
    for (console, meanwhile) in [
        ("/dev/ttyS0", format!("sleep {seconds}")),
        ("/dev/stderr", loops),
    ] {
        let command = format!("{print} >{console}; {meanwhile}");
        vm.succeed(command).await.unwrap();
    }
    let works = format!("timeout {seconds} dd if=/dev/zero of=/dev/null bs=16M >&2 &");
    vm.succeed(format!("{works} {print} >&2")).await.unwrap();
    let limited = vm.within(Duration::from_secs(8));
    let end = limited.wait_for_shutdown().await.unwrap_err();
    assert!(end.is_timeout(), "{end}");

    // It is mentioned, but not as the cause.
    let error = vm.succeed("false").await.unwrap_err();
    assert!(
        error.to_string().contains("kernel panic (3 times): QEMU"),
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
