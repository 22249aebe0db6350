//! The client with a real bash on this host, started as in a guest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use backdoor_shell::Error;

use crate::guest::{AT_A_PORT, BACKDOOR, guest};

/// Verifies what other tests assume.
#[tokio::test]
async fn an_agent_at_a_port() {
    let mut guest = guest(AT_A_PORT).await;
    let on_port = guest.shell.run("echo $__vm_on_port").await.unwrap();
    assert_eq!(on_port.text(), "1\n");
}

#[tokio::test]
async fn greeting_is_passed_on() {
    let guest = guest(BACKDOOR).await;
    assert_eq!(
        guest.greeting,
        ["connecting", "Spawning backdoor root shell..."]
    );
    assert!(guest.shell.is_connected());
}

/// Output that bash can't send by itself.
#[tokio::test]
async fn status_of_long_and_binary_output() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let long = "printf '%s\\n' {1..5000}; exit 3";
        let output = guest.shell.run(long).await.unwrap();
        assert_eq!((output.status(), output.stdout.len()), (3, 23893));
        for script in ["printf '\\1\\2'; exit 4", "printf '\\1\\0'; exit 4"] {
            let output = guest.shell.run(script).await.unwrap();
            assert_eq!((output.status(), output.stdout.len()), (4, 2), "{script}");
        }
    }
}

#[tokio::test]
async fn status_and_exact_output() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for (script, status, stdout) in [
            ("true", 0, &b""[..]),
            ("false", 1, b""),
            ("exit 7", 7, b""),
            ("kill -9 $BASHPID", 137, b""),
            ("echo hi", 0, b"hi\n"),
            ("printf hi", 0, b"hi"),
            ("printf '\\n\\n'", 0, b"\n\n"),
            ("printf 'a\\\\nb\\\\'", 0, b"a\\nb\\"),
            ("printf '\\001\\177\\200\\377'", 0, b"\x01\x7f\x80\xff"),
            ("printf 'a\\0b\\0\\0'", 0, b"a\0b\0\0"),
            ("echo 'é → 日本'", 0, "é → 日本\n".as_bytes()),
            ("echo one\necho two", 0, b"one\ntwo\n"),
            (
                "echo \"it's\" 'a \"b\"' !! \\\\",
                0,
                b"it's a \"b\" !! \\\n",
            ),
            (
                "printf '@e 0000000000000000 0 0\\n'",
                0,
                b"@e 0000000000000000 0 0\n",
            ),
            ("echo '# not a comment'", 0, b"# not a comment\n"),
        ] {
            let output = guest.shell.run(script).await.unwrap();
            assert_eq!(
                (output.status(), output.stdout.as_slice()),
                (status, stdout),
                "{script}"
            );
        }
    }
}

#[tokio::test]
async fn output_of_every_length_around_the_buffer() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for length in [510, 511, 512, 513, 1023, 1024, 1025, 100_000] {
            let script = format!("head -c {length} /dev/zero | tr '\\0' x");
            let output = guest.shell.run(script).await.unwrap();
            assert_eq!(output.stdout, vec![b'x'; length], "{length} characters");
            let output = guest
                .shell
                .run(format!("head -c {length} /dev/zero"))
                .await
                .unwrap();
            assert_eq!(output.stdout, vec![0; length], "{length} NULs");
        }
    }
}

#[tokio::test]
async fn strict_mode() {
    let mut guest = guest(BACKDOOR).await;
    for (script, status) in [
        ("false; echo not reached", 1),
        ("echo $unset", 1),
        ("false | true", 1),
        ("echo $1", 1),
        ("if", 2),
    ] {
        let output = guest.shell.run(script).await.unwrap();
        assert_eq!(
            (output.status(), output.text().as_str()),
            (status, ""),
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_command_leaves_nothing_behind_in_the_shell() {
    let mut guest = guest(BACKDOOR).await;
    guest
        .shell
        .run("cd /; x=1; set +e; trap 'echo bye' EXIT; exec 1>&-")
        .await
        .unwrap();
    let output = guest.shell.run("echo ${x-unset} $- $(trap)").await.unwrap();
    let flags = output.text();
    assert!(flags.starts_with("unset ehuB"), "{flags}");
}

/// Output is encoded in the locale C.
#[tokio::test]
async fn the_locale_of_commands_stays_the_same() {
    let mut guest =
        guest("unset LC_ALL; export LANG=C.UTF-8; echo 'Spawning backdoor root shell...'; exec bash --norc")
            .await;
    for _ in 0..3 {
        let output = guest.shell.run("x=é; echo $x ${#x} ${LC_ALL-unset}").await;
        assert_eq!(output.unwrap().text(), "é 1 unset\n");
    }
}

#[tokio::test]
async fn standard_input_is_empty() {
    let mut guest = guest(BACKDOOR).await;
    assert_eq!(guest.shell.run("cat; wc -c").await.unwrap().text(), "0\n");
}

#[tokio::test]
async fn the_process_id_is_the_commands_own() {
    let mut guest = guest(BACKDOOR).await;
    let output = guest
        .shell
        .run("[[ $$ == $BASHPID ]]; kill $$")
        .await
        .unwrap();
    assert_eq!(output.status(), 143);
    assert!(guest.shell.run("true").await.unwrap().success());
}

/// However the guest's bash was started.
#[tokio::test]
async fn a_command_behaves_as_with_bash_c() {
    let from_a_file = "echo 'Spawning backdoor root shell...'; exec bash --norc /proc/self/fd/0";
    for backdoor in [BACKDOOR, AT_A_PORT, from_a_file] {
        let mut guest = guest(backdoor).await;
        for script in [
            "",
            "nosuch 2>&1",
            "\ntrue\nnosuch 2>&1",
            "exec 2>&1; echo $unset",
            "exec 2>&1\nf() {\nnosuch\n}; f",
            "nosuch $$ 2>&1",
            "nosuch $PPID 2>&1",
            "echo $0 $# $LINENO\necho $LINENO ${FUNCNAME-} ${BASH_SOURCE-}",
            "exec 2>&1; local x=1; echo after",
            "exec 2>&1; return 3; echo after",
            "exec 2>&1; break; echo after",
            "exec 2>&1; continue; echo after",
            "trap",
            "(kill -PIPE $BASHPID) || echo $?",
        ] {
            let output = guest.shell.run(script).await.unwrap();
            let strict = format!("set -euo pipefail; {script}");
            let bash = std::process::Command::new("bash")
                .args(["-c", &strict])
                .output()
                .unwrap();
            assert_eq!(
                output.text(),
                String::from_utf8(bash.stdout).unwrap(),
                "{script}"
            );
            assert_eq!(Some(output.status()), bash.status.code(), "{script}");
        }
    }
}

#[tokio::test]
async fn encoder_missing() {
    let mut guest =
        guest("PATH=/nowhere; echo 'Spawning backdoor root shell...'; exec /bin/bash --norc").await;
    assert_eq!(
        guest.shell.run("echo plain").await.unwrap().text(),
        "plain\n"
    );
    let error = guest.shell.run("printf '\\1'").await.unwrap_err();
    assert!(
        matches!(error, Error::Encoder { status: 127, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn nul_is_refused_and_the_shell_stays_usable() {
    let mut guest = guest(BACKDOOR).await;
    assert!(matches!(
        guest.shell.run("echo a\0b").await,
        Err(Error::Nul { .. })
    ));
    assert!(guest.shell.run("true").await.unwrap().success());
}

#[tokio::test]
async fn hundreds_of_commands_stay_in_step() {
    let mut guest = guest(BACKDOOR).await;
    for number in 0..500 {
        let output = guest
            .shell
            .run(format!("echo {number}; exit {}", number % 100))
            .await
            .unwrap();
        assert_eq!(
            (output.status(), output.text()),
            (number % 100, format!("{number}\n"))
        );
    }
}

#[tokio::test]
async fn a_long_command() {
    let mut guest = guest(BACKDOOR).await;
    let text = "long → ".repeat(10_000);
    let output = guest.shell.run(format!("echo -n '{text}'")).await.unwrap();
    assert_eq!(output.text(), text);
}
