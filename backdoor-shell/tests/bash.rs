//! The client with a real bash on this host, started as in a guest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::time::Duration;

use backdoor_shell::{Command, Error, Exit};

use crate::guest::{AT_A_PORT, BACKDOOR, guest};

/// A backdoor that is restarted by its service.
const RESPAWNING: &str = "while true; do echo 'Spawning backdoor root shell...'; bash --norc; done";

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

#[tokio::test]
async fn time_out_ends_the_command_and_keeps_its_output() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let endless = Command::new("echo before; sleep 1000; echo after");
        let output = guest
            .shell
            .run(endless.timeout(Duration::from_secs(2)))
            .await
            .unwrap();
        assert_eq!(output.exit, Exit::TimedOut);
        assert_eq!((output.status(), output.text().as_str()), (124, "before\n"));
        assert_eq!(
            guest.shell.run("echo in step").await.unwrap().text(),
            "in step\n"
        );
    }
}

#[tokio::test]
async fn time_out_of_a_command_that_ignores_sigterm() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let stubborn = Command::new("trap '' TERM; sleep 1000").timeout(Duration::from_millis(100));
        assert_eq!(
            guest.shell.run(stubborn).await.unwrap().exit,
            Exit::TimedOut
        );
        assert_eq!(
            guest.shell.run("echo in step").await.unwrap().text(),
            "in step\n"
        );
    }
}

#[tokio::test]
async fn time_out_of_standard_output_never_closed() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for script in ["sleep 1000 & echo started", "setsid sleep 5 & echo started"] {
            let never_closed = Command::new(script).timeout(Duration::from_millis(100));
            let output = guest.shell.run(never_closed).await.unwrap();
            assert_eq!(
                (output.exit, output.text().as_str()),
                (Exit::TimedOut, "started\n"),
                "{script}"
            );
            assert_eq!(
                guest.shell.run("echo in step").await.unwrap().text(),
                "in step\n"
            );
        }
    }
}

#[tokio::test]
async fn time_out_before_the_command_is_even_sent() {
    let mut guest = guest(BACKDOOR).await;
    let none = Command::new("echo never").timeout(Duration::ZERO);
    let output = guest.shell.run(none).await.unwrap();
    assert_eq!((output.exit, output.text().as_str()), (Exit::TimedOut, ""));
    assert_eq!(
        guest.shell.run("echo in step").await.unwrap().text(),
        "in step\n"
    );
}

#[tokio::test]
async fn time_out_of_a_flood() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let flood = Command::new("yes").timeout(Duration::from_millis(200));
        let exit = guest
            .shell
            .run_into(flood, &mut tokio::io::sink())
            .await
            .unwrap();
        assert_eq!(exit, Exit::TimedOut);
        assert_eq!(
            guest.shell.run("echo in step").await.unwrap().text(),
            "in step\n"
        );
    }
}

#[tokio::test]
async fn a_detached_process_survives_its_command() {
    let mut guest = guest(BACKDOOR).await;
    let pid = guest
        .shell
        .run("sleep 1000 >&2 & echo $!")
        .await
        .unwrap()
        .text();
    let alive = guest.shell.run(format!("kill {pid}")).await.unwrap();
    assert!(alive.success());
}

#[tokio::test]
async fn an_abandoned_command_is_stopped_by_the_next() {
    let mut guest = guest(BACKDOOR).await;
    let marker = tempfile::NamedTempFile::new().unwrap();
    let path = backdoor_shell::quote(marker.path().to_str().unwrap())
        .unwrap()
        .into_owned();
    let abandoned = guest
        .shell
        .run(format!("echo noise; sleep 1; echo late >{path}"));
    tokio::time::timeout(Duration::from_millis(100), abandoned)
        .await
        .unwrap_err();
    assert_eq!(guest.shell.run("echo mine").await.unwrap().text(), "mine\n");
    assert_eq!(
        guest
            .shell
            .run(format!("sleep 1; cat {path}"))
            .await
            .unwrap()
            .text(),
        ""
    );
}

#[tokio::test]
async fn shell_closed_during_a_command() {
    let mut guest = guest(BACKDOOR).await;
    let killer = format!("echo some; kill -9 {} 0", guest.process.id().unwrap());
    let error = guest.shell.run(killer).await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("kill -9"), "{error}");
}

/// The process that reports its end is killed, too, so the end is only noticed at the time-out.
#[tokio::test]
async fn time_out_of_a_command_that_kills_all_of_itself() {
    let mut guest = guest(BACKDOOR).await;
    let suicide = Command::new("echo some; kill -9 0").timeout(Duration::from_millis(300));
    let output = guest.shell.run(suicide).await.unwrap();
    assert_eq!(output.exit, Exit::TimedOut);
    assert_eq!(
        guest.shell.run("echo in step").await.unwrap().text(),
        "in step\n"
    );
}

#[tokio::test]
async fn shell_restarted_by_its_service() {
    let mut guest = guest(RESPAWNING).await;
    // Not `$$`, for which the command would get a new bash.
    let inner = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
    // Kill the command's group, too, for it not to report the end.
    let error = guest
        .shell
        .run(format!("kill -9 {inner} 0"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    assert!(matches!(
        guest.shell.run("true").await,
        Err(Error::NotConnected)
    ));
    guest.shell.connect(|_| ()).await.unwrap();
    assert_eq!(guest.shell.run("echo back").await.unwrap().text(), "back\n");
}

/// The greeting of the new shell follows incomplete base64.
#[tokio::test]
async fn shell_restarted_during_output() {
    let mut guest = guest(RESPAWNING).await;
    let inner = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
    // More than a pipe's capacity, so that the encoder still runs.
    let output = format!("head -c 200000 /dev/zero; kill -9 {inner} 0");
    let error = guest.shell.run(output).await.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    guest.shell.connect(|_| ()).await.unwrap();
    assert_eq!(guest.shell.run("echo back").await.unwrap().text(), "back\n");
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
