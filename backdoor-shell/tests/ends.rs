//! How commands end with a real bash: at their time limit, by signals, with their shell.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::fmt::Display;
use std::time::Duration;

use backdoor_shell::{Command, Error, Exit};

use crate::guest::{AT_A_PORT, BACKDOOR, guest};

/// A backdoor that is restarted by its service.
const RESPAWNING: &str = "while true; do echo 'Spawning backdoor root shell...'; bash --norc; done";

/// A command that kills the agent, and the job that would send the command's end.
fn kill_with_job(agent: impl Display) -> String {
    format!("read -r _ _ _ job _ </proc/$BASHPID/stat; kill -9 {agent} -- -$job")
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
            let never_closed = Command::new(script).timeout(Duration::from_secs(1));
            let output = guest.shell.run(never_closed).await.unwrap();
            assert!(
                matches!(&output.exit, Exit::OutputHeld { by } if by.starts_with("sleep ")),
                "{script}: {output:?}"
            );
            assert_eq!(
                (output.status(), output.text().as_str()),
                (124, "started\n")
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
    assert_eq!(
        (output.exit.clone(), output.text().as_str()),
        (Exit::TimedOut, "")
    );
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
    let agent = guest.process.id().unwrap();
    let error = guest.shell.run(kill_with_job(agent)).await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("kill -9"), "{error}");
}

/// The end is sent by a process that none of these kills.
#[tokio::test]
async fn a_command_that_kills_its_own_processes_ends_at_once() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for (script, status, stdout) in [
            ("echo some; kill -9 0", 137, "some\n"),
            ("echo some; sleep 1000 & kill -9 0", 137, "some\n"),
            ("echo some; kill -9 $$", 137, "some\n"),
            ("echo some; kill -9 $BASHPID", 137, "some\n"),
            (
                "echo some; kill -9 $PPID; sleep 0.1; echo more",
                137,
                "some\nmore\n",
            ),
            (
                "echo some; bash -c 'kill -9 $PPID'; echo more",
                137,
                "some\n",
            ),
            ("echo some; sh -c 'kill -9 $PPID'; echo more", 137, "some\n"),
            ("echo some; kill -TERM 0", 143, "some\n"),
            ("trap 'echo last; exit 5' TERM; kill -TERM 0", 5, "last\n"),
            (
                "head -c 1000 /dev/zero | tr '\\0' x; kill -9 0",
                137,
                &"x".repeat(1000),
            ),
        ] {
            let output = guest.shell.run(script).await.unwrap();
            assert_eq!(
                (output.exit.clone(), &*output.text()),
                (Exit::Status(status), stdout),
                "{script}"
            );
        }
    }
}

#[tokio::test]
async fn time_out_of_a_stopped_command() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for script in [
            "echo some; kill -STOP $$",
            "echo some; kill -STOP 0",
            "echo some; kill -STOP $BASHPID",
            "echo some; kill -STOP $PPID; sleep 1000",
            "echo some; sh -c 'kill -STOP $PPID'; sleep 1000",
        ] {
            let stopped = Command::new(script).timeout(Duration::from_millis(200));
            let output = guest.shell.run(stopped).await.unwrap();
            assert_eq!(
                (output.exit.clone(), &*output.text()),
                (Exit::TimedOut, "some\n"),
                "{script}"
            );
        }
    }
}

#[tokio::test]
async fn a_stopped_command_that_is_continued() {
    let mut guest = guest(BACKDOOR).await;
    let script = "(sleep 0.2; kill -CONT $$) & echo some; kill -STOP $$; echo more; exit 3";
    let output = guest.shell.run(script).await.unwrap();
    assert_eq!((output.status(), &*output.text()), (3, "some\nmore\n"));
}

#[tokio::test]
async fn shell_restarted_by_its_service() {
    let mut guest = guest(RESPAWNING).await;
    // Not `$$`, for which the command would get a new bash.
    let inner = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
    let error = guest.shell.run(kill_with_job(inner)).await.unwrap_err();
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
    let output = format!("head -c 200000 /dev/zero; {}", kill_with_job(inner));
    let error = guest.shell.run(output).await.unwrap_err();
    assert!(matches!(error, Error::Restarted { .. }), "{error}");
    guest.shell.connect(|_| ()).await.unwrap();
    assert_eq!(guest.shell.run("echo back").await.unwrap().text(), "back\n");
}

/// The job of a command whose agent was killed writes to the line of the next one.
#[tokio::test]
async fn a_job_of_an_earlier_agent_does_not_damage_later_output() {
    let mut guest = guest(RESPAWNING).await;
    for earlier in [
        "sleep 0.3",
        "sleep 0.3; echo late",
        "while echo flood; do sleep 0.05; done",
    ] {
        let agent = guest.shell.run("printf %s ${$#0}").await.unwrap().text();
        let abandoned = guest.shell.run(format!("echo some >&2; {earlier}"));
        tokio::time::timeout(Duration::from_millis(100), abandoned)
            .await
            .unwrap_err();
        guest.shell.disconnect();
        std::process::Command::new("kill")
            .args(["-9", &agent])
            .status()
            .unwrap();
        guest.shell.connect(|_| ()).await.unwrap();
        let long = "for i in {1..20}; do head -c 20000 /dev/zero; sleep 0.05; done";
        let output = guest.shell.run(long).await.unwrap();
        assert_eq!(output.stdout, vec![0; 400_000], "{earlier}");
    }
}
