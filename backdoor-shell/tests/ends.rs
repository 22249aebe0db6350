//! How commands end with a real bash: at their time limit and by signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use std::path::Path;
use std::time::Duration;

use backdoor_shell::{Command, Exit};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::guest::{AT_A_PORT, BACKDOOR, Guest, children, guest, signal};

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
    timeout(Duration::from_millis(100), abandoned)
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
            // Long enough for the output on a busy host.
            let stopped = Command::new(script).timeout(Duration::from_secs(1));
            let output = guest.shell.run(stopped).await.unwrap();
            assert_eq!(
                (output.exit.clone(), &*output.text()),
                (Exit::TimedOut, "some\n"),
                "{script}"
            );
        }
    }
}

/// The process that would send the command's end is killed.
#[tokio::test]
async fn time_out_of_a_command_whose_worker_is_killed() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        for signal in ["KILL", "KILL", "STOP"] {
            let script = format!(
                "read -r _ _ _ worker _ </proc/$BASHPID/stat; echo some
                 kill -{signal} -- -$worker; exec sleep 5"
            );
            let killed = Command::new(script).timeout(Duration::from_millis(200));
            let output = guest.shell.run(killed).await.unwrap();
            assert_eq!(output.exit, Exit::TimedOut, "{signal}");
            let next = guest.shell.run("echo in step").await.unwrap();
            assert_eq!(next.text(), "in step\n", "{signal}");
        }
    }
}

/// A worker that is stopped while it waits for a command is replaced.
#[tokio::test]
async fn a_worker_that_is_stopped_between_commands() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let worker = worker(&mut guest).await;
        signal(&worker, Signal::STOP);
        let endless = Command::new("sleep 1000").timeout(Duration::from_millis(200));
        let output = guest.shell.run(endless).await.unwrap();
        assert_eq!(output.exit, Exit::TimedOut);
        let next = guest.shell.run("echo in step").await.unwrap();
        assert_eq!(next.text(), "in step\n");
        until(|| !Path::new("/proc").join(&worker).exists()).await;
    }
}

/// The process of the next command, which waits for it, is killed.
#[tokio::test]
async fn a_command_whose_process_is_killed_in_advance() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        let worker = worker(&mut guest).await;
        until(|| !children(&worker).is_empty()).await;
        let waiting = children(&worker);
        signal(waiting.trim(), Signal::KILL);
        until(|| children(&worker) != waiting).await;
        let list = "ls /proc/$BASHPID/fd | xargs";
        let next = guest.shell.run(list).await.unwrap();
        let usual = guest.shell.run(list).await.unwrap();
        assert!(next.success());
        assert_eq!(next.text(), usual.text());
    }
}

/// The process ID of the agent's worker.
async fn worker(guest: &mut Guest) -> String {
    let print = "read -r _ _ _ worker _ </proc/$BASHPID/stat; echo -n $worker";
    guest.shell.run(print).await.unwrap().text()
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.unwrap();
}

/// A command that knows its number ends for the client, and is killed for the next one.
#[tokio::test]
async fn a_command_that_imitates_its_end() {
    for backdoor in [BACKDOOR, AT_A_PORT] {
        let mut guest = guest(backdoor).await;
        assert!(guest.shell.run("true").await.unwrap().success());
        let imitation = "read -r _ _ _ worker _ </proc/$BASHPID/stat
            numbers=$(
                grep -w heap /proc/$worker/maps | while IFS='- ' read -r begin end _; do
                    begin=$((16#$begin / 4096)) end=$((16#$end / 4096))
                    dd if=/proc/$worker/mem bs=4096 skip=$begin count=$((end - begin)) 2>/dev/null
                done | tr -c '[:alnum:]' '\\n' | grep -xE '[0-9a-f]{16}' | sort -u
            )
            for number in $numbers; do printf '\\r\\n@e %s 7 0\\n' $number; done >/proc/$worker/fd/1
            exec sleep 1000";
        let output = guest.shell.run(imitation).await.unwrap();
        assert_eq!(output.status(), 7);
        let next = guest.shell.run("echo in step").await.unwrap();
        assert_eq!(next.text(), "in step\n");
    }
}

#[tokio::test]
async fn a_stopped_command_that_is_continued() {
    let mut guest = guest(BACKDOOR).await;
    let script = "(sleep 0.2; kill -CONT $$) & echo some; kill -STOP $$; echo more; exit 3";
    let output = guest.shell.run(script).await.unwrap();
    assert_eq!((output.status(), &*output.text()), (3, "some\nmore\n"));
}
